// Smaller trees of the same value.
#pragma once
#include "node.h"

Tree simplified(const Tree &tree);
