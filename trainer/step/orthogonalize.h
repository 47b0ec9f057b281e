// The nearest orthogonal matrix, about: what Muon makes of a momentum.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace lmtrain {

// U S' V^T of a matrix [rows, columns] = U S V^T, with singular values S' of about one, by
// Newton-Schulz steps of a fifth-degree polynomial (Jordan et al., "Muon", 2024). Computes in
// `type` and returns it; the same arithmetic as torch.optim.Muon, which computes in bf16.
at::Tensor orthogonalized(const at::Tensor& matrix, int64_t num_steps, at::ScalarType type);

// FLOPs of orthogonalized() of a matrix [rows, columns].
double orthogonalize_flops(int64_t rows, int64_t columns, int64_t num_steps);

// No singular value of the result is larger: the polynomial's maximum over [0, 1.2025] is 1.2025.
inline constexpr double kLargestSingularValue = 1.21;

}  // namespace lmtrain
