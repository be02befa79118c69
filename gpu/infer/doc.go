// SPDX-License-Identifier: Apache-2.0

// Package infer answers rows with a trained model: logits and the label of the
// greatest one, with the same bits on every machine.
//
// An answer depends on the weights and its own row alone, never on the rows
// beside it. The package refuses weights that do not have the expected root and
// rows that do not fit. It knows nothing of vouchers, receipts or attribution.
//
// The main types are Model and Answer:
//
//	m, err := infer.Load(blob, weightsRoot)
//	answers, err := m.Table(t)
//	commit := keys.Sum(keys.DomainRequest, infer.Encode(answers))
//
// Spec: OP-03, INF-05 (responses), TNS-01.
package infer
