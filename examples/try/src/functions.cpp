#include "functions.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "statistics.h"

static Function of_one(double (*function)(double)) {
  return [function](const std::vector<double> &values) { return function(values.at(0)); };
}

const std::map<std::string, Function> &functions() {
  static const std::map<std::string, Function> table{
      {"sin", of_one(std::sin)},
      {"cos", of_one(std::cos)},
      {"exp", of_one(std::exp)},
      {"ln", of_one(std::log)},
      {"root", of_one(std::sqrt)},
      {"least", [](const auto &values) { return *std::min_element(values.begin(), values.end()); }},
      {"most", [](const auto &values) { return *std::max_element(values.begin(), values.end()); }},
      {"sum", [](const auto &values) { return std::accumulate(values.begin(), values.end(), 0.0); }},
      {"mean", mean},
      {"median", median},
      {"spread", deviation},
  };
  return table;
}
