// Reads expressions from standard input, one per line, and answers each.
#include <iostream>
#include <string>

#include "report.h"
#include "session.h"
#include "text.h"

int main() {
  Session session;
  for (std::string line; std::getline(std::cin, line);)
    if (!trimmed(line).empty()) std::cout << session.answer(line) << '\n';
  write_report(std::cout, session);
}
