// A tree as text, in three forms.
#pragma once
#include <string>

#include "json.h"
#include "node.h"

std::string infix(const Tree &tree);
std::string lisp(const Tree &tree);
Json as_json(const Tree &tree);
