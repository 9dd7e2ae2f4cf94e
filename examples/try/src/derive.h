// The derivative of a tree by one variable.
#pragma once
#include <string>

#include "node.h"

Tree derived(const Tree &tree, const std::string &variable);
