// From words to a tree.
#pragma once
#include <string_view>

#include "node.h"

Tree parse(std::string_view line);
