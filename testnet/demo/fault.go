// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
)

const (
	transfers    = 20
	catchUpLimit = 30 * time.Second
)

// fault is the beat in which one validator is killed: the chain goes on, and the
// validator comes back.
func (s *story) fault(ctx context.Context) error {
	victim := s.net.Nodes[3].Name
	if err := s.net.Kill(victim); err != nil {
		return err
	}
	at := time.Now()
	var last api.TxStatus
	for range transfers {
		var err error
		if last, err = s.send(ctx, requester, &tx.Transfer{To: s.address(payer), Amount: 1}); err != nil {
			return err
		}
	}
	s.fact("%s is dead (SIGKILL); %d transfers were final in %.1f s without it, the last at height %d", victim, transfers, time.Since(at).Seconds(), last.Height)
	back := time.Now()
	if err := s.net.Heal(ctx, victim); err != nil {
		return err
	}
	m, err := s.net.Find(victim)
	if err != nil {
		return err
	}
	if err := until(ctx, victim+" catches up", catchUpLimit, func(ctx context.Context) (bool, error) {
		st, err := m.Client().NodeStatus(ctx, api.Empty{})
		return err == nil && st.Height >= last.Height, nil
	}); err != nil {
		return err
	}
	got, err := m.Client().TxGet(ctx, api.TxGetParams{TxID: last.TxID})
	if err != nil {
		return err
	}
	if err := check(got.Status == "final" && got.Height == last.Height, "%s has the transfer at height %d, others at %d", victim, got.Height, last.Height); err != nil {
		return fmt.Errorf("after restart: %w", err)
	}
	s.fact("%s restarted, caught up in %.1f s and has the same transfer at the same height", victim, time.Since(back).Seconds())
	s.try("testnet status --home %s", s.o.Dir)
	return nil
}
