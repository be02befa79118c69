// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/p2p/peers"
)

// Bounds of status/1 (P2P-03, P2P-08).
const (
	statusName     = "status/1"
	statusMax      = 4 << 10 // bytes of one status
	statusDeadline = 5 * time.Second
	maxSkew        = 10 * time.Second
	maxListen      = 8   // own addresses in a status
	maxKnown       = 8   // addresses of other peers in a status
	maxBinding     = 256 // bytes
	maxAddrLen     = 200 // bytes of one address
)

// Refusals of the handshake. The text before the colon is the name that travels
// and is shown. Spec: P2P-03.
var (
	// ErrWrongNetwork: the peer is on another chain, or speaks no OpenLedger.
	ErrWrongNetwork = errors.New("WRONG_NETWORK")
	// ErrTooOld: one side's protocol version is below the other's minimum.
	ErrTooOld = errors.New("TOO_OLD")
	// ErrClockSkew: the two clocks differ by more than 10 s.
	ErrClockSkew = errors.New("CLOCK_SKEW")
	// ErrBanned: the peer is banned because of its score.
	ErrBanned = errors.New("BANNED")
	// ErrHandshake: the peer did not complete a well-formed handshake in time.
	ErrHandshake = errors.New("NO_HANDSHAKE")
)

var refusals = []error{ErrWrongNetwork, ErrTooOld, ErrClockSkew, ErrBanned, ErrHandshake}

// Status is what two peers tell each other when they meet. Spec: P2P-03.
type Status struct {
	_        struct{} `cbor:",toarray"`
	ChainID  [32]byte
	Version  uint64
	Features uint64   // bit set, unknown bits are ignored
	Height   uint64   // of the last final block
	Final    [32]byte // its hash
	Epoch    uint64
	Earliest uint64   // lowest height whose block can be asked for
	TimeMS   uint64   // wall clock of the sender
	Listen   []string // own full addresses, ≤ 8
	Known    []string // full addresses of other peers, ≤ 8
	Binding  []byte   // validator's proof for this peer id, ≤ 256 bytes, may be empty
}

// encodeStatus cuts lists to their bounds and encodes s. Addresses go, last
// first, while the result is above 4 KiB.
func encodeStatus(s Status) []byte {
	s.Listen = s.Listen[:min(len(s.Listen), maxListen)]
	s.Known = s.Known[:min(len(s.Known), maxKnown)]
	for {
		b := enc.Encode(s)
		switch {
		case len(b) <= statusMax:
			return b
		case len(s.Known) > 0:
			s.Known = s.Known[:len(s.Known)-1]
		case len(s.Listen) > 0:
			s.Listen = s.Listen[:len(s.Listen)-1]
		default:
			s.Binding = nil
		}
	}
}

// decodeStatus reads a status and checks its bounds. Errors: ErrHandshake.
func decodeStatus(b []byte) (Status, error) {
	var s Status
	if len(b) > statusMax {
		return s, fmt.Errorf("%w: status of %d bytes", ErrHandshake, len(b))
	}
	if err := enc.Decode(b, &s); err != nil {
		return Status{}, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if len(s.Listen) > maxListen || len(s.Known) > maxKnown || len(s.Binding) > maxBinding {
		return Status{}, fmt.Errorf("%w: status with %d+%d addresses, binding of %d bytes",
			ErrHandshake, len(s.Listen), len(s.Known), len(s.Binding))
	}
	for _, list := range [][]string{s.Listen, s.Known} {
		for _, a := range list {
			if len(a) > maxAddrLen {
				return Status{}, fmt.Errorf("%w: address of %d bytes", ErrHandshake, len(a))
			}
		}
	}
	return s, nil
}

// judge compares the peer's status with the own one. Errors: ErrWrongNetwork,
// ErrTooOld, ErrClockSkew.
func judge(theirs Status, chainID [32]byte, minVersion, now uint64) error {
	if theirs.ChainID != chainID {
		return fmt.Errorf("%w: peer is on chain %x, this node on %x", ErrWrongNetwork, theirs.ChainID[:4], chainID[:4])
	}
	if theirs.Version < minVersion {
		return fmt.Errorf("%w: peer speaks version %d, at least %d is needed", ErrTooOld, theirs.Version, minVersion)
	}
	skew := max(theirs.TimeMS, now) - min(theirs.TimeMS, now)
	if skew > uint64(maxSkew.Milliseconds()) {
		return fmt.Errorf("%w: clocks differ by %d ms, check the time of both machines", ErrClockSkew, skew)
	}
	return nil
}

// named finds a refusal's name in the text that a peer sent.
func named(text string) error {
	for _, r := range refusals {
		if strings.Contains(text, r.Error()) {
			return fmt.Errorf("%w: refused by the peer", r)
		}
	}
	return fmt.Errorf("%w: %s", ErrHandshake, text)
}

// Peer is a peer that has passed the handshake.
type Peer struct {
	ID      peers.ID
	Status  Status         // as last told
	Key     keys.PublicKey // vote key proved by its binding, zero for none
	Inbound bool           // it dialled us
}

// EventKind says what happened to a peer.
type EventKind int

// The kinds of events.
const (
	PeerUp     EventKind = iota // the handshake passed
	PeerUpdate                  // it sent another status
	PeerDown                    // the last connection is gone
)

// Event is one change of a peer.
type Event struct {
	Kind EventKind
	Peer Peer
}
