#include "number.h"

#include <charconv>
#include <cmath>
#include <iomanip>
#include <sstream>

std::string number_text(double value) {
  if (std::isnan(value)) return "undefined";
  if (std::isinf(value)) return value < 0 ? "-infinite" : "infinite";
  std::ostringstream text;
  text << std::setprecision(12) << value;
  return text.str();
}

std::optional<double> number_value(std::string_view text) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}
