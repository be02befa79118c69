// SPDX-License-Identifier: Apache-2.0
//
// Kernels for cards from compute capability 8.0 on, beside those of kernels.cu.

#include "tensor.h"
