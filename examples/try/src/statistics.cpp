#include "statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

double mean(const std::vector<double> &values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double median(const std::vector<double> &values) {
  auto sorted = values;
  auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  if (sorted.size() % 2) return *middle;
  return (*middle + *std::max_element(sorted.begin(), middle)) / 2;
}

double deviation(const std::vector<double> &values) {
  double centre = mean(values);
  double squares = std::inner_product(values.begin(), values.end(), values.begin(), 0.0, std::plus<>(),
                                      [centre](double a, double b) { return (a - centre) * (b - centre); });
  return std::sqrt(squares / static_cast<double>(values.size()));
}
