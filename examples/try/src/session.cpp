#include "session.h"

#include <regex>

#include "commands.h"
#include "number.h"
#include "parser.h"
#include "problem.h"
#include "simplify.h"

std::string Session::answer(const std::string &line) {
  history_.push_back(line);
  try {
    return answer_to(line);
  } catch (const Problem &problem) {
    return marked(line, problem);
  }
}

std::string Session::answer_to(const std::string &line) {
  static const std::regex assignment(R"(\s*([A-Za-z_]\w*)\s*=(.*))"), command(R"(\s*([a-z]+)\s+([^=\s].*))");
  std::smatch match;
  if (std::regex_match(line, match, assignment)) {
    double value = evaluate(parse(match.str(2)), variables_);
    variables_[match.str(1)] = value;
    return number_text(value);
  }
  if (std::regex_match(line, match, command))
    if (auto found = commands().find(match.str(1)); found != commands().end()) return found->second(parse(match.str(2)));
  return number_text(evaluate(simplified(parse(line)), variables_));
}
