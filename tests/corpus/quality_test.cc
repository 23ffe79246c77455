#include "corpus/quality.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/corpus/corpus_on_disk.h"

namespace scm::corpus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// A corpus without any finding: 30 documents of their own words, one item each, 12 of them in test.
Corpus CleanCorpus() {
  Corpus corpus;
  for (int i = 0; i < 30; ++i) {
    std::string text;
    for (int w = 0; w < 20; ++w) absl::StrAppend(&text, "palabra", i, "x", w, " ");
    AddDocument(&corpus, absl::StrCat("d", i), "AR", text);
    Item& item = AddItem(&corpus, absl::StrCat("i", i), absl::StrCat("d", i));
    item.prompt = absl::StrCat(text, "?");
    item.gold = {i / 2 % 2};
    item.choices =
        i % 2 == 0 ? std::vector<std::string>{"sí", "no"} : std::vector<std::string>{"no", "sí"};
    item.split = i < 12 ? Split::kTest : i < 16 ? Split::kValidation : Split::kTrain;
  }
  return corpus;
}

QualityReport Check(const Corpus& corpus, const QualityOptions& options = {}) {
  // Documents follow their items, as they do in a split by document.
  SplitAssignment assignment = AssignSplits(corpus, {1, 0, 0, 1}).value();
  for (size_t i = 0; i < corpus.items.size(); ++i) {
    const size_t document = corpus.document_index.at(corpus.items[i].document);
    assignment.documents[document] = assignment.items[i];
  }
  return CheckQuality(corpus, assignment, options);
}

std::vector<std::string> Names(const QualityReport& report) {
  std::vector<std::string> names;
  for (const Finding& finding : report.findings) {
    names.push_back(absl::StrCat(SeverityName(finding.severity), " ", finding.check));
  }
  return names;
}

TEST(QualityTest, ACleanCorpusHasNoFindings) {
  EXPECT_THAT(Names(Check(CleanCorpus())), ElementsAre());
}

Item& AddConversation(Corpus* corpus, int number, Split split, const std::string& answer) {
  Item& talk = AddItem(corpus, absl::StrCat("c", number), absl::StrCat("d", number));
  talk.task = "talks";
  talk.prompt.clear();
  talk.choices.clear();
  talk.gold.clear();
  talk.messages = {{"system", "Eres un asistente que contesta con las palabras de los estatutos."},
                   {"user", absl::StrCat("pregunta ", number)},
                   {"assistant", answer}};
  talk.split = split;
  return talk;
}

TEST(QualityTest, ConversationsNeedNoTestItemsAndHaveNoChoicesToBalance) {
  Corpus corpus = CleanCorpus();
  for (int i = 0; i < 4; ++i) {
    AddConversation(&corpus, 20 + i, i == 0 ? Split::kValidation : Split::kTrain,
                    absl::StrCat("respuesta número ", i));
    corpus.items.back().document = absl::StrCat("d", i == 0 ? 13 : 20 + i);
    corpus.items.back().cluster_id = corpus.items.back().document;
  }
  const QualityReport report = Check(corpus);
  EXPECT_THAT(Names(report), ElementsAre());
  const Json& talks = report.summary["tasks"]["talks"];
  EXPECT_EQ(talks["conversations"], true);
  EXPECT_EQ(talks["items"]["train"], 3);
  EXPECT_EQ(talks["turns"]["max"], 3);
  EXPECT_EQ(talks["answer_characters"]["max"], 18);
}

// What conversations say is compared with what is asked, and with each other; their system turns
// are not.
TEST(QualityTest, ConversationsLeakLikeQuestions) {
  Corpus corpus = CleanCorpus();
  const std::string test_prompt = corpus.items[0].prompt;
  AddConversation(&corpus, 20, Split::kTrain, test_prompt);
  EXPECT_THAT(Names(Check(corpus)),
              UnorderedElementsAre("warning near_duplicates", "warning containment"));
  corpus.items.back().messages = {{"system", test_prompt}, {"user", "q"}, {"assistant", "a"}};
  EXPECT_THAT(Names(Check(corpus)), ElementsAre());
  Item& again = AddConversation(&corpus, 13, Split::kValidation, "A");
  again.messages[1].content = "Q ";
  EXPECT_THAT(Names(Check(corpus)), ElementsAre("error exact_duplicates"));
}

TEST(QualityTest, TheSameQuestionInTrainAndTestIsAnError) {
  Corpus corpus = CleanCorpus();
  corpus.items[0].prompt = "¿Quién  FIRMA el acta?";
  corpus.items[20].prompt = "¿quién firma el acta? ";
  corpus.items[0].gold = corpus.items[20].gold = {0};  // both "sí"
  const QualityReport report = Check(corpus);
  EXPECT_THAT(Names(report), ElementsAre("error exact_duplicates"));
  EXPECT_THAT(report.findings[0].subjects, ElementsAre("i0", "i20"));
  EXPECT_TRUE(report.has_errors());
  EXPECT_THAT(report.Messages(Severity::kError),
              ElementsAre(HasSubstr("what is tested was trained")));
}

TEST(QualityTest, AnAcceptedErrorIsAWarningThatSaysSo) {
  Corpus corpus = CleanCorpus();
  corpus.items[0].cluster_id = corpus.items[20].cluster_id;
  EXPECT_THAT(Names(Check(corpus)), ElementsAre("error cluster_leakage"));
  corpus.info.accept = {"cluster_leakage"};
  const QualityReport report = Check(corpus);
  EXPECT_THAT(Names(report), ElementsAre("warning cluster_leakage"));
  EXPECT_THAT(report.findings[0].message, HasSubstr("(accepted in corpus.json)"));
  EXPECT_FALSE(report.has_errors());
}

TEST(QualityTest, ADocumentOnBothSidesIsAnError) {
  Corpus corpus = CleanCorpus();
  Item& item = AddItem(&corpus, "extra", "d0");
  item.prompt = "Algo muy distinto de todo lo anterior";
  item.cluster_id = "own";
  item.split = Split::kTrain;
  const QualityReport report = CheckQuality(corpus, AssignSplits(corpus, {1, 0, 0, 1}).value());
  EXPECT_THAT(report.Messages(Severity::kError),
              ElementsAre(HasSubstr("1 documents have items in more than one split, first d0")));
}

TEST(QualityTest, RepeatsWithinASplitAndConflictsAreWarnings) {
  Corpus corpus = CleanCorpus();
  corpus.items[20].prompt = corpus.items[22].prompt = "¿Vota el socio?";
  corpus.items[20].gold = {0};
  corpus.items[22].gold = {1};
  const QualityReport report = Check(corpus);
  EXPECT_THAT(Names(report),
              UnorderedElementsAre("warning exact_duplicates", "warning conflicting_labels"));
  corpus.items[22].gold = {0};
  EXPECT_THAT(Names(Check(corpus)), ElementsAre("warning exact_duplicates"));
}

TEST(QualityTest, NearCopiesAcrossSplitsAndSharedRunsAreWarnings) {
  Corpus corpus = CleanCorpus();
  const std::string run =
      "la asamblea ordinaria se reúne dentro de los cuatro meses del cierre de cada ejercicio "
      "social "
      "para tratar el balance y elegir a quienes administran la sociedad";
  corpus.items[1].prompt = run + " ahora";
  corpus.items[21].prompt = run + " luego";
  EXPECT_THAT(Names(Check(corpus)),
              UnorderedElementsAre("warning near_duplicates", "warning containment"));
  // A shared run in otherwise different texts.
  corpus.items[21].prompt =
      "uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce "
      "quince " +
      run.substr(0, run.find(" social")) + " fin";
  EXPECT_THAT(Names(Check(corpus)), ElementsAre("warning containment"));
  corpus.items[21].prompt = "Otra cosa";
  corpus.documents[0].text = run + " uno";
  corpus.documents[20].text = run + " dos";
  const QualityReport documents = Check(corpus);
  EXPECT_THAT(Names(documents),
              UnorderedElementsAre("warning near_duplicates", "warning containment"));
  EXPECT_THAT(documents.findings[0].message,
              HasSubstr("test documents nearly repeat one of train"));
}

TEST(QualityTest, EmptySplitsAreErrors) {
  Corpus corpus = CleanCorpus();
  for (Item& item : corpus.items) item.split = Split::kTrain;
  EXPECT_THAT(Check(corpus).Messages(Severity::kError),
              UnorderedElementsAre(HasSubstr("no item is in validation"),
                                   HasSubstr("task t has no test items")));
  QualityOptions options;
  options.tasks = {"unheard_of"};
  EXPECT_THAT(Check(CleanCorpus(), options).Messages(Severity::kError),
              ElementsAre(HasSubstr("task unheard_of has no items")));
  corpus.items.clear();
  EXPECT_THAT(Names(Check(corpus)), ElementsAre("warning empty_split"));
}

TEST(QualityTest, FewTestClustersCannotBeJudged) {
  Corpus corpus = CleanCorpus();
  for (int i = 0; i < 3; ++i) corpus.items[i].cluster_id = "one";
  EXPECT_THAT(Names(Check(corpus)), ElementsAre());  // ten are left
  corpus.items[3].cluster_id = "one";
  EXPECT_THAT(Check(corpus).Messages(Severity::kWarning),
              ElementsAre(HasSubstr("9 test clusters")));
}

TEST(QualityTest, ConstantAnswersPositionsAndLengthsGiveAnswersAway) {
  Corpus constant = CleanCorpus();
  for (size_t i = 0; i < constant.items.size(); ++i) {
    Item& item = constant.items[i];
    item.gold = {item.choices[0] == "sí" ? 0 : 1};
  }
  EXPECT_THAT(Check(constant).Messages(Severity::kWarning),
              ElementsAre(HasSubstr("100 % of the items have the answer \"sí\"")));

  Corpus position = CleanCorpus();
  for (size_t i = 0; i < position.items.size(); ++i) {
    position.items[i].choices = {absl::StrCat("a", 10 + i), absl::StrCat("b", 10 + i)};
    position.items[i].gold = {1};
  }
  EXPECT_THAT(Names(Check(position)), ElementsAre("warning answer_position"));

  Corpus length = CleanCorpus();
  for (size_t i = 0; i < length.items.size(); ++i) {
    Item& item = length.items[i];
    item.choices = {absl::StrCat("a", 10 + i), absl::StrCat("b", 10 + i)};
    item.choices[item.gold[0]] += " y más";
  }
  EXPECT_THAT(Names(Check(length)), ElementsAre("warning lengths"));
}

TEST(QualityTest, MissingDaysAndLanguages) {
  Corpus corpus = CleanCorpus();
  corpus.documents[4].as_of = "";
  corpus.documents[5].language = "";
  const QualityReport report = Check(corpus);
  EXPECT_THAT(Names(report), ElementsAre("warning as_of", "warning language"));
  EXPECT_THAT(report.findings[0].message, HasSubstr("first d4"));
}

TEST(QualityTest, JsonCarriesTheMarkTheFindingsAndTheCounts) {
  Corpus corpus = CleanCorpus();
  corpus.info.demonstration = true;
  corpus.digest = "abc";
  for (int i = 0; i < 12; ++i) corpus.items[i].cluster_id = "one";
  const Json json = QualityToJson(corpus, Check(corpus));
  EXPECT_EQ(json["demonstration"], true);
  EXPECT_EQ(json["digest"], "abc");
  EXPECT_EQ(json["findings"][0]["check"], "few_clusters");
  EXPECT_EQ(json["findings"][0]["severity"], "warning");
  const Json& task = json["summary"]["tasks"]["t"];
  EXPECT_EQ(task["items"]["test"], 12);
  EXPECT_EQ(task["clusters"]["test"], 1);
  EXPECT_EQ(task["labels"]["no"].get<int>() + task["labels"]["sí"].get<int>(), 30);
  EXPECT_EQ(json["summary"]["splits"]["items"]["train"], 14);
  EXPECT_EQ(json["summary"]["jurisdictions"]["AR"], 30);
}

TEST(QualityTest, ListsTheFirstSubjectsAndCountsAll) {
  Corpus corpus = CleanCorpus();
  for (Document& document : corpus.documents) document.as_of = "";
  const QualityReport report = Check(corpus);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].count, 30);
  EXPECT_EQ(report.findings[0].subjects.size(), 5u);
}

}  // namespace
}  // namespace scm::corpus
