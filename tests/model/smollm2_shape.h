// The shape of SmolLM2-135M, for estimates that need one of a real size.
#pragma once

#include "model/llama_config.h"

namespace scm::model {

inline LlamaConfig SmolLM2Shape() {
  LlamaConfig c;
  c.vocabulary = 49152;
  c.hidden = 576;
  c.intermediate = 1536;
  c.layers = 30;
  c.heads = 9;
  c.kv_heads = 3;
  c.head_dim = 64;
  c.tied_embeddings = true;
  return c;
}

}  // namespace scm::model
