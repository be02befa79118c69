// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"fmt"

	"github.com/openledger/openledger/ledger/tx"
)

// Placeholders of the kinds that channel.go, settle.go and claim.go define.

func (m *machine) channelOpen(*tx.ChannelOpen) error     { return tx.TxPaused }
func (m *machine) channelRedeem(*tx.ChannelRedeem) error { return tx.TxPaused }
func (m *machine) channelClose(*tx.ChannelClose) error   { return tx.TxPaused }
func (m *machine) epochCommit(*tx.EpochCommit) error     { return tx.TxPaused }
func (m *machine) claimEpoch(*tx.ClaimEpoch) error       { return tx.TxPaused }
func (m *machine) channelDue(id []byte) error            { return fmt.Errorf("no channels yet") }
func (m *machine) pendingDue(id []byte) error            { return fmt.Errorf("no channels yet") }
func (m *machine) commitDue(id []byte) error             { return fmt.Errorf("no commits yet") }

// endEpoch runs the duties of a ledger epoch that has ended.
func (m *machine) endEpoch(epoch uint64) error { return nil }
