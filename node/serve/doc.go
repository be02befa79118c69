// SPDX-License-Identifier: Apache-2.0

// Package serve is the inference gateway of an operator: it takes a signed
// voucher, answers a row with a model of the ledger, says whose data the answer
// rests on by the method that the model declares (knn/1: exact KNN-Shapley of
// this one query), and signs the receipt. A request that is sent again with the
// same voucher gets the same receipt.
//
// It refuses a row that does not fit the model before it takes the voucher, an
// offer that is not its operator's or has ended, and requests beyond its queue.
// What a voucher is worth, what is kept on disk and how it becomes income is
// node/settle's; the package moves no money.
//
// The main type is Gateway:
//
//	g := serve.New(cfg)
//	err := g.Load(ctx) // the open offers of the operator
//	a, err := g.Answer(ctx, voucher, row)
//
// Request and Reply are the frames of the stream infer/1, by which a node asks
// an operator's node on behalf of its users.
//
// Spec: CHN-06, RCP-01.
package serve
