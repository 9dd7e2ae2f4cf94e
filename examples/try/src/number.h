// How numbers are read and written.
#pragma once
#include <optional>
#include <string>
#include <string_view>

std::string number_text(double value);
std::optional<double> number_value(std::string_view text);
