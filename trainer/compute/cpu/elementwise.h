// Everything between the matrix products: normalisation, rotary positions, SwiGLU and the softmax
// of the loss, each in as few passes over memory as it can be.
#pragma once

#include "trainer/compute/cpu/functions.h"
#include "trainer/compute/cpu/simd.h"

namespace scm::trainer {
namespace SCM_ISA {

template <typename T>
inline VecF LoadSome(const T* p, int64_t left) {
  return left >= kLanes ? Load(p) : LoadPart(p, left);
}
template <typename T>
inline void StoreSome(T* p, VecF x, int64_t left) {
  if (left >= kLanes) {
    Store(p, x);
  } else {
    StorePart(p, x, left);
  }
}

template <typename T>
inline float InverseRms(const T* x, int64_t n, float eps) {
  VecF sum{};
  for (int64_t i = 0; i < n; i += kLanes) {
    const VecF v = LoadSome(x + i, n - i);
    sum += v * v;
  }
  return 1.0f / __builtin_sqrtf(Sum(sum) / static_cast<float>(n) + eps);
}

inline VecF Rounded(VecF x, const float*) { return x; }
inline VecF Rounded(VecF x, const BFloat16*) {
  BFloat16 bits[kLanes];
  Store(bits, x);
  return Load(bits);
}

template <typename T>
inline void RmsNormTyped(int64_t rows, int64_t n, ConstMatrix x, ConstMatrix w, float eps,
                         Matrix y) {
  const T* weight = static_cast<const T*>(w.data);
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; ++r) {
    const T* from = static_cast<const T*>(x.data) + r * x.stride;
    T* to = static_cast<T*>(y.data) + r * y.stride;
    const float inverse = InverseRms(from, n, eps);
    for (int64_t i = 0; i < n; i += kLanes) {
      const VecF v = Rounded(LoadSome(from + i, n - i) * inverse, from);
      StoreSome(to + i, v * LoadSome(weight + i, n - i), n - i);
    }
  }
}

inline void RmsNorm(int64_t rows, int64_t n, ConstMatrix x, ConstMatrix w, float eps, Matrix y) {
  if (x.type == Element::kFloat) {
    RmsNormTyped<float>(rows, n, x, w, eps, y);
  } else {
    RmsNormTyped<BFloat16>(rows, n, x, w, eps, y);
  }
}

// With z = x·ρ, ρ = 1/rms: dx += ρ·(dy∘w − z·mean(dy∘w∘z)).
template <typename T, typename TD>
inline void RmsNormBackwardTyped(int64_t rows, int64_t n, ConstMatrix dy, ConstMatrix x,
                                 ConstMatrix w, float eps, float* dx) {
  const T* weight = static_cast<const T*>(w.data);
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; ++r) {
    const T* from = static_cast<const T*>(x.data) + r * x.stride;
    const TD* d = static_cast<const TD*>(dy.data) + r * dy.stride;
    float* to = dx + r * n;
    const float inverse = InverseRms(from, n, eps);
    VecF sum{};
    for (int64_t i = 0; i < n; i += kLanes) {
      sum += LoadSome(d + i, n - i) * LoadSome(weight + i, n - i) * LoadSome(from + i, n - i);
    }
    const float mean = Sum(sum) * inverse * inverse / static_cast<float>(n);
    for (int64_t i = 0; i < n; i += kLanes) {
      const VecF g = LoadSome(d + i, n - i) * LoadSome(weight + i, n - i);
      const VecF v = LoadSome(to + i, n - i) + (g - LoadSome(from + i, n - i) * mean) * inverse;
      StoreSome(to + i, v, n - i);
    }
  }
}

inline void RmsNormBackward(int64_t rows, int64_t n, ConstMatrix dy, ConstMatrix x, ConstMatrix w,
                            float eps, float* dx) {
  const bool xf = x.type == Element::kFloat, df = dy.type == Element::kFloat;
  if (xf && df) RmsNormBackwardTyped<float, float>(rows, n, dy, x, w, eps, dx);
  if (xf && !df) RmsNormBackwardTyped<float, BFloat16>(rows, n, dy, x, w, eps, dx);
  if (!xf && df) RmsNormBackwardTyped<BFloat16, float>(rows, n, dy, x, w, eps, dx);
  if (!xf && !df) RmsNormBackwardTyped<BFloat16, BFloat16>(rows, n, dy, x, w, eps, dx);
}

template <typename T>
inline void RopeTyped(int64_t rows, int64_t heads, int64_t d, const int32_t* positions,
                      const float* cos, const float* sin, float sign, Matrix x) {
  const int64_t half = d / 2;
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; ++r) {
    const float* c = cos + positions[r] * half;
    const float* s = sin + positions[r] * half;
    for (int64_t h = 0; h < heads; ++h) {
      T* low = static_cast<T*>(x.data) + r * x.stride + h * d;
      T* high = low + half;
      for (int64_t i = 0; i < half; i += kLanes) {
        const int64_t left = half - i;
        const VecF a = LoadSome(low + i, left), b = LoadSome(high + i, left);
        const VecF vc = LoadSome(c + i, left), vs = LoadSome(s + i, left) * sign;
        StoreSome(low + i, a * vc - b * vs, left);
        StoreSome(high + i, b * vc + a * vs, left);
      }
    }
  }
}

inline void Rope(int64_t rows, int64_t heads, int64_t d, const int32_t* positions, const float* cos,
                 const float* sin, float sign, Matrix x) {
  if (x.type == Element::kFloat) {
    RopeTyped<float>(rows, heads, d, positions, cos, sin, sign, x);
  } else {
    RopeTyped<BFloat16>(rows, heads, d, positions, cos, sin, sign, x);
  }
}

constexpr int64_t kPiece = 4096;  // elements of one parallel step

inline VecF Sigmoid(VecF x) { return 1.0f / (1.0f + Exp(-x)); }

template <typename T>
inline void SwiGluTyped(int64_t count, const T* gate, const T* up, T* act) {
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < count; begin += kPiece) {
    const int64_t end = begin + kPiece < count ? begin + kPiece : count;
    for (int64_t i = begin; i < end; i += kLanes) {
      const VecF g = LoadSome(gate + i, end - i);
      const VecF silu = Rounded(g * Sigmoid(g), gate);
      StoreSome(act + i, silu * LoadSome(up + i, end - i), end - i);
    }
  }
}

inline void SwiGlu(int64_t count, ConstMatrix gate, ConstMatrix up, Matrix act) {
  if (gate.type == Element::kFloat) {
    SwiGluTyped(count, static_cast<const float*>(gate.data), static_cast<const float*>(up.data),
                static_cast<float*>(act.data));
  } else {
    SwiGluTyped(count, static_cast<const BFloat16*>(gate.data),
                static_cast<const BFloat16*>(up.data), static_cast<BFloat16*>(act.data));
  }
}

template <typename T>
inline void SwiGluBackwardTyped(int64_t count, const T* dact, T* gate, T* up) {
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < count; begin += kPiece) {
    const int64_t end = begin + kPiece < count ? begin + kPiece : count;
    for (int64_t i = begin; i < end; i += kLanes) {
      const int64_t left = end - i;
      const VecF g = LoadSome(gate + i, left), u = LoadSome(up + i, left);
      const VecF d = LoadSome(dact + i, left);
      const VecF s = Sigmoid(g);
      StoreSome(gate + i, d * u * s * (1.0f + g * (1.0f - s)), left);
      StoreSome(up + i, d * g * s, left);
    }
  }
}

inline void SwiGluBackward(int64_t count, ConstMatrix dact, Matrix gate, Matrix up) {
  if (gate.type == Element::kFloat) {
    SwiGluBackwardTyped(count, static_cast<const float*>(dact.data), static_cast<float*>(gate.data),
                        static_cast<float*>(up.data));
  } else {
    SwiGluBackwardTyped(count, static_cast<const BFloat16*>(dact.data),
                        static_cast<BFloat16*>(gate.data), static_cast<BFloat16*>(up.data));
  }
}

inline float RowMax(const float* x, int64_t n) {
  VecF best = Splat(x[0]);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) best = Max(best, Load(x + i));
  float value = MaxOf(best);
  for (; i < n; ++i) value = x[i] > value ? x[i] : value;
  return value;
}

inline void CrossEntropy(int64_t rows, int64_t n, float* logits, const int64_t* labels,
                         float gradient_scale, float* losses) {
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; ++r) {
    float* x = logits + r * n;
    if (labels[r] < 0) {
      losses[r] = 0;
      for (int64_t i = 0; i < n; ++i) x[i] = 0;
      continue;
    }
    const float top = RowMax(x, n), target = x[labels[r]];
    VecF sum{};
    for (int64_t i = 0; i < n; i += kLanes) {
      const int64_t left = n - i;
      const VecF e = Exp(LoadSome(x + i, left) - top);
      StoreSome(x + i, e, left);
      sum += left >= kLanes ? e : LoadPart(x + i, left);
    }
    const float total = Sum(sum);
    losses[r] = __builtin_logf(total) + top - target;
    const float factor = gradient_scale / total;
    for (int64_t i = 0; i < n; i += kLanes) {
      StoreSome(x + i, LoadSome(x + i, n - i) * factor, n - i);
    }
    x[labels[r]] -= gradient_scale;
  }
}

inline void LogSumExp(int64_t rows, int64_t n, const float* logits, float* out, int64_t* arg_max) {
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; ++r) {
    const float* x = logits + r * n;
    const float top = RowMax(x, n);
    VecF sum{};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) sum += Exp(Load(x + i) - top);
    float total = Sum(sum);
    for (; i < n; ++i) total += Exp(Splat(x[i] - top))[0];
    out[r] = __builtin_logf(total) + top;
    int64_t first = 0;
    while (first + 1 < n && !(x[first] >= top)) ++first;
    arg_max[r] = first;
  }
}

}  // namespace SCM_ISA
}  // namespace scm::trainer
