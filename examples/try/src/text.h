// Small helpers for text that several units need.
#pragma once
#include <string>
#include <string_view>
#include <vector>

std::string_view trimmed(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);
std::string padded(const std::string &text, std::size_t width);
