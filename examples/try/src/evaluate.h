// The value of a tree.
#pragma once
#include <map>
#include <string>

#include "node.h"

using Variables = std::map<std::string, double>;

double evaluate(const Tree &tree, const Variables &variables);
