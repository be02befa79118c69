// SPDX-License-Identifier: Apache-2.0

// Package knn computes exact KNN-Shapley values in integers.
//
// The game: the players are training rows, the utility of a set is how well
// its K nearest neighbours vote for the label of a validation row, averaged
// over validation rows. Its Shapley values have a closed recurrence over the
// sorted neighbours (Jia et al., VLDB 2019, arXiv:1908.08619; soft label: Wang
// and Jia, arXiv:2304.04258), so nothing is sampled and nothing estimated:
// the values are exact for this utility.
//
// It refuses to do: floats (the caller of the float path brings the order of
// the neighbours, see Order), accounts, clustering. Values leave as int64
// numerators over 2^40 per validation row, the numbers that consensus pays by,
// and on request as 128-bit numerators over 2^96, the numbers that are printed.
//
// Main types: Index (training rows, ready to be asked) and Coefs (the
// coefficients of the recurrence). For example:
//
//	x, err := knn.NewIndex(points)
//	c, err := knn.NewCoefs(x.Len(), knn.Params{K: 5, Soft: true, Classes: 10})
//	sums := make([]int64, x.Len())
//	o := x.Orderer()
//	for _, v := range valid {
//		c.Add(o.Order(v.Features), x.Labels(), v.Label, sums)
//	}
//
// Leaves of a job and their digests: Leaf. Spec: KNN-01..06, ATM-06, FLW-01.
package knn
