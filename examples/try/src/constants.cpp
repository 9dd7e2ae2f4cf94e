#include "functions.h"

const std::map<std::string, double> &constants() {
  static const std::map<std::string, double> table{{"pi", 3.14159265358979323846}, {"e", 2.71828182845904523536}};
  return table;
}
