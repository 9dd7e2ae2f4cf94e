// What can be said about a list of values; none of these takes an empty list.
#pragma once
#include <vector>

double mean(const std::vector<double> &values);
double median(const std::vector<double> &values);
double deviation(const std::vector<double> &values);
