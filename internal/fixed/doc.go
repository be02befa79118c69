// SPDX-License-Identifier: Apache-2.0

// Package fixed is the integer arithmetic of money and weights: amounts in base
// units of OPEN, checked sums, floored products, and the two exact ways to split
// a total (ACC-02, PAY-02, SHR-02). Nothing here rounds silently or wraps.
package fixed
