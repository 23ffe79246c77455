// What a user should know about a model and a corpus before they are trained together, for the
// checks at submission and for the training's own log. Sentences. Pure; free of libtorch.
#pragma once

#include <string>
#include <vector>

#include "corpus/corpus.h"
#include "experiment/spec.h"
#include "model/model_source.h"
#include "model/tokenizer.h"
#include "trainer/data/chat_examples.h"

namespace scm::trainer {

// Files that other programs read otherwise; with `data` (else null) also examples longer than the
// model's positions, and an end token that cannot be trained or at which no generation stops.
std::vector<std::string> ModelWarnings(const model::ModelSource& model,
                                       const model::Tokenizer& tokenizer, const DataSpec* data);

// For a corpus with conversations: generation that does not stop where their answers end.
std::vector<std::string> ChatWarnings(const model::ModelSource& model,
                                      const model::Tokenizer& tokenizer, const ChatEncoder& chat,
                                      const DataSpec& data);

// Texts of special tokens among the items (and with `documents` the documents), while they are
// trained as plain text: how many, with the first as an example.
std::vector<std::string> MarkupWarnings(const corpus::Corpus& corpus,
                                        const model::Tokenizer& tokenizer, const DataSpec& data,
                                        bool documents);

}  // namespace scm::trainer
