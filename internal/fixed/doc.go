// SPDX-License-Identifier: Apache-2.0

// Package fixed is the integer arithmetic of money and weights: amounts in base
// units of OPEN, checked sums, floored products, 256-bit accumulators, and the
// two exact ways to split a total.
//
// It refuses to wrap, to round in silence and to use floats: an operation
// either returns the exact or the floored result it documents, or [ErrArith].
// It knows no accounts and no parameters.
//
// The main types are [Amount] and [U256].
//
//	fee, err := fixed.MulDiv(gross, 500, 10_000)       // 5 %, floored
//	left, err := fixed.Sub(balance, fixed.Amount(fee)) // ErrArith if short
//	parts, err := fixed.Split(pool, weights)           // sums to pool exactly
//
// Spec: ACC-02, PAY-02, PAY-04, SHR-02.
package fixed
