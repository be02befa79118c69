// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
)

// Kinds of announcements.
const (
	KindDataset = 1
	KindModel   = 2
)

// Announcement tells the network that an object's content can be fetched
// (P2P-10). The owner signs what it is about. Providers are full peer addresses
// and a hint only: content is verified against the ledger wherever it comes from.
// TimeMS, Unix milliseconds, is set by the node that sends it out, so that it can
// be announced again for who came later: gossip drops bytes that it has seen.
type Announcement struct {
	_         struct{}       `cbor:",toarray"`
	Kind      uint64         `json:"kind"`
	ID        tx.ID          `json:"id"`
	Manifest  []byte         `json:"manifest"` // of a dataset; empty for a model
	Key       keys.PublicKey `json:"key"`
	Sig       keys.Signature `json:"sig"`
	Providers []string       `json:"providers"`
	TimeMS    uint64         `json:"time_ms"`
}

func (a Announcement) signed(chainID [32]byte) []byte {
	return keys.Dom(keys.DomainManifest, chainID, a.Kind, a.ID, a.Manifest)
}

// Announce signs an announcement.
func Announce(chainID [32]byte, kind uint64, id tx.ID, manifest []byte, providers []string, key keys.PrivateKey) Announcement {
	a := Announcement{Kind: kind, ID: id, Manifest: manifest, Key: key.Public(), Providers: providers}
	a.Sig = key.Sign(a.signed(chainID))
	return a
}

// Encode returns the canonical bytes.
func (a Announcement) Encode() []byte { return enc.Encode(a) }

// Owner is the account that the signing key speaks for.
func (a Announcement) Owner() keys.Address { return keys.SingleAuth(a.Key).Address() }

// Bounds of Providers.
const (
	maxProviders    = 8
	maxProviderText = 256
)

// DecodeAnnouncement reads an announcement and checks form and signature, not
// that its owner is the object's. Errors: ErrManifest.
func DecodeAnnouncement(chainID [32]byte, b []byte) (Announcement, error) {
	var a Announcement
	if len(b) > 2*MaxManifest {
		return a, fmt.Errorf("%w: %d bytes", ErrManifest, len(b))
	}
	if err := enc.Decode(b, &a); err != nil {
		return Announcement{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if len(a.Providers) > maxProviders {
		return Announcement{}, fmt.Errorf("%w: %d providers, at most %d", ErrManifest, len(a.Providers), maxProviders)
	}
	for _, p := range a.Providers {
		if len(p) > maxProviderText {
			return Announcement{}, fmt.Errorf("%w: provider address of %d bytes", ErrManifest, len(p))
		}
	}
	switch {
	case a.Kind == KindDataset:
		if _, err := Decode(a.Manifest); err != nil {
			return Announcement{}, err
		}
	case a.Kind != KindModel || len(a.Manifest) != 0:
		return Announcement{}, fmt.Errorf("%w: kind %d", ErrManifest, a.Kind)
	}
	if !keys.Verify(a.Key, a.signed(chainID), a.Sig) {
		return Announcement{}, fmt.Errorf("%w: signature", ErrManifest)
	}
	return a, nil
}
