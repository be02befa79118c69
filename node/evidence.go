// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"

	"github.com/openledger/openledger/consensus/evidence"
)

// found takes in proof that validators broke the rules.
func (n *Node) found(list []evidence.Evidence) {
	if n.cfg.Operator.IsZero() {
		n.log.Warn("evidence is not submitted: this node has no operator key; set work.key", "pieces", len(list))
		return
	}
	n.court.Add(list...)
}

// punish submits the next piece of evidence that the ledger has not acted on
// (CONS-51).
func (n *Node) punish(ctx context.Context) error {
	if n.court.Waiting() == 0 {
		return nil
	}
	v, err := n.view()
	if err != nil {
		return err
	}
	p, err := n.court.Next(v, n.chain.Head().Height)
	if err != nil || p == nil {
		return err
	}
	got, err := n.sendOwn(ctx, p)
	if err == nil {
		n.log.Info("evidence is on the ledger", "tx", got.TxID, "code", got.Receipt.Code)
	}
	return err
}
