// SPDX-License-Identifier: Apache-2.0

package demo

import "github.com/openledger/openledger/ledger/tx"

// paid is what the money beats carry from one to the next.
type paid struct {
	lie tx.ID // the refuted task
}
