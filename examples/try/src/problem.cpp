#include "problem.h"

#include <sstream>

Problem::Problem(const std::string &what, std::size_t position) : std::runtime_error(what), position_(position) {}

std::string marked(const std::string &line, const Problem &problem) {
  std::ostringstream text;
  text << "  " << line << "\n  " << std::string(problem.position(), ' ') << "^ " << problem.what();
  return text.str();
}
