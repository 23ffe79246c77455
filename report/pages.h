// How both halves of the report write their blocks and numbers. Pure.
#pragma once

#include <string>
#include <vector>

#include "report/document.h"

namespace scm::report {

using Rows = std::vector<std::vector<std::string>>;

// Appends blocks to a document. Tables get names in the order in which they are promised.
class Pages {
 public:
  explicit Pages(ReportDocument& document) : document_(document) {}

  void Part(const std::string& text) { Add(Block::Kind::kPart, text); }
  void Heading(const std::string& text) { Add(Block::Kind::kHeading, text); }
  void Text(const std::string& text) { Add(Block::Kind::kText, text); }
  // Text of a file, line by line as it is; nothing for none.
  void Code(const std::string& text);
  // Nothing for no entries.
  void List(const std::vector<std::string>& entries);
  // Nothing for no rows. `name` where a figure refers to it.
  void Table(const std::string& caption, std::vector<std::string> header, Rows rows,
             const std::string& name = "");
  // A figure, whose numbers follow later as a table of that name; nothing for an empty one.
  void Figure(const std::string& caption, const std::string& svg, const std::string& table);

 private:
  void Add(Block::Kind kind, const std::string& text);
  ReportDocument& document_;
};

// The names of the tables that hold the figures' numbers.
inline constexpr char kLossTable[] = "numbers-loss";
inline constexpr char kAccuracyTable[] = "numbers-accuracy";
inline constexpr char kScoreTable[] = "numbers-scores";
inline constexpr char kDifferenceTable[] = "numbers-differences";

std::string Number(double value, int digits = 3);   // "–" for what does not exist
std::string Fixed(double value, int digits);        // likewise
std::string IntervalText(double low, double high);  // "0.570 to 0.710"
std::string PointsText(double low, double high);    // "+10.2 to +24.1"
std::string PText(double p);                        // "0.003", "< 0.001"
std::string MoneyText(const Json& amount, const std::string& currency);
std::string ParametersText(const Json& run);

// Every trial of the sweep, and the file of the experiment; nothing where there is none.
void LayOutSweep(const Findings& findings, Pages& pages);
void LayOutDataChecks(const Findings& findings, Pages& pages);
void LayOutFile(const Findings& findings, Pages& pages);

void LayOutFirstPage(const Findings& findings, Pages& pages);
void LayOutDetails(const Findings& findings, Pages& pages);

}  // namespace scm::report
