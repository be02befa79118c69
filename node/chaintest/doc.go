// SPDX-License-Identifier: Apache-2.0

// Package chaintest makes chains for the tests of node: a genesis with known
// validators and funded accounts, transactions of those accounts, and blocks with
// real certificates. Everything follows from the two numbers that New takes.
//
//	w := chaintest.New(t, 4, 10)
//	c := w.Open(store.OpenMemory())
//	b := w.Final(c, w.Transfer(0, 1, 5))
//	done, err := c.Commit(b)
package chaintest
