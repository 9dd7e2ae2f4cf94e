// The one kind of error: what is wrong, and where in the expression.
#pragma once
#include <stdexcept>
#include <string>

class Problem : public std::runtime_error {
 public:
  Problem(const std::string &what, std::size_t position);
  std::size_t position() const { return position_; }

 private:
  std::size_t position_;
};

std::string marked(const std::string &line, const Problem &problem);
