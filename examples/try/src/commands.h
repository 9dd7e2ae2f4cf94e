// Commands that show a tree instead of its value.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "node.h"

const std::map<std::string, std::function<std::string(const Tree &)>> &commands();
