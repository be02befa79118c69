// SPDX-License-Identifier: Apache-2.0

package knn

// Add adds the values of one validation row to sums, both indexed by training
// row, in units of 2^−40. order lists the n training rows from the nearest;
// labels[j] is the label of training row j, y that of the validation row.
//
// Bounds: sums stays inside int64 over 2^22 validation rows. Cost: O(n).
// order, labels and sums must have length n. Spec: KNN-02..04.
func (c *Coefs) Add(order []uint32, labels []int64, y int64, sums []int64) {
	last := c.n - 1
	next := match(labels, order[last], y)
	s := next*c.last[0] - c.last[2]
	if c.last[1] != 0 {
		s -= c.votes(order, labels, y) * c.last[1]
	}
	sums[order[last]] += s
	for i := last; i >= 1; i-- { // rank i, ranks count from 1
		j := order[i-1]
		m := match(labels, j, y)
		s += (m - next) * c.step[i]
		sums[j] += s
		next = m
	}
}

// AddWide is Add in units of 2^−96. Widen comes first. Spec: KNN-05.
func (c *Coefs) AddWide(order []uint32, labels []int64, y int64, sums []Wide) {
	last := c.n - 1
	next := match(labels, order[last], y)
	s := Wide{}.minus(c.lastW[2])
	if next == 1 {
		s = s.plus(c.lastW[0])
	}
	if c.lastW[1] != (Wide{}) {
		s = s.minus(c.lastW[1].times(uint64(c.votes(order, labels, y))))
	}
	sums[order[last]] = sums[order[last]].plus(s)
	for i := last; i >= 1; i-- {
		j := order[i-1]
		m := match(labels, j, y)
		switch m - next {
		case 1:
			s = s.plus(c.stepW[i])
		case -1:
			s = s.minus(c.stepW[i])
		}
		sums[j] = sums[j].plus(s)
		next = m
	}
}

// match is m of KNN-01, without a branch that noise in the labels would miss.
func match(labels []int64, j uint32, y int64) int64 {
	if labels[j] == y {
		return 1
	}
	return 0
}

// votes is M, the matches among all but the last neighbour.
func (c *Coefs) votes(order []uint32, labels []int64, y int64) int64 {
	var m int64
	for _, j := range order[:c.n-1] {
		m += match(labels, j, y)
	}
	return m
}
