// The functions and constants that every expression may use.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

using Function = std::function<double(const std::vector<double> &)>;

const std::map<std::string, Function> &functions();
const std::map<std::string, double> &constants();
