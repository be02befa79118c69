// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"bytes"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
)

// check refuses a Config that contradicts itself, and fills in the start of an
// epoch that genesis starts.
func (cfg *Config) check() error {
	r := &cfg.Root
	switch p := cfg.Params; {
	case cfg.Set == nil:
		return fmt.Errorf("%w: no validator set", ErrConfig)
	case p.DeltaMS == 0 || p.DeltaCapMS < p.DeltaMS || p.HeartbeatMS == 0:
		return fmt.Errorf("%w: timer parameters %+v", ErrConfig, p)
	}
	if cfg.Start.Header.Version == 0 && r.Header.View == 0 {
		cfg.Start.Header = r.Header
	}
	if err := cfg.checkStart(); err != nil {
		return err
	}
	if err := cfg.checkRoot(); err != nil {
		return err
	}
	return cfg.checkKeys()
}

// checkStart tests the root of the epoch and, for a seal, its proof.
func (cfg *Config) checkStart() error {
	s, set := &cfg.Start, cfg.Set
	switch h := &s.Header; {
	case h.Version == 0:
		if cfg.Params.EpochMS != 0 || cfg.Root.starts(set.Epoch()) {
			return fmt.Errorf("%w: no start of the epoch", ErrConfig)
		}
		return nil
	case h.ChainID != cfg.ChainID:
		return fmt.Errorf("%w: start of another chain", ErrConfig)
	case h.View == 0:
		if h.SetHash != set.Hash() || h.Epoch != set.Epoch() {
			return fmt.Errorf("%w: genesis of another set or epoch", ErrConfig)
		}
		return nil
	case !ends(h, set.Epoch()) || h.SetHash == [32]byte{} || s.Set == nil:
		return fmt.Errorf("%w: the epoch starts with no seal of the one before, or without its set", ErrConfig)
	}
	if next := set.Hash(); !bytes.Equal(s.Header.NextSet, next[:]) {
		return fmt.Errorf("%w: the seal names another set", ErrConfig)
	}
	p, err := cert.DecodeProof(s.Proof)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return p.Verify(s.Set, cfg.ChainID, &s.Header)
}

// checkRoot tests that the root is the epoch's own or stands above it, final.
func (cfg *Config) checkRoot() error {
	r, set := &cfg.Root, cfg.Set
	if r.starts(set.Epoch()) {
		if r.Header.Hash() != cfg.Start.Header.Hash() {
			return fmt.Errorf("%w: root and start of the epoch differ", ErrConfig)
		}
		return nil
	}
	switch h := &r.Header; {
	case h.ChainID != cfg.ChainID || h.SetHash != set.Hash() || h.Epoch != set.Epoch():
		return fmt.Errorf("%w: root of another chain, set or epoch", ErrConfig)
	case h.Kind != header.KindNormal:
		return fmt.Errorf("%w: the root seals the epoch, the next core starts from it", ErrConfig)
	case r.Finalization == nil || r.Finalization.Hash() != h.Hash() || r.Finalization.View != h.View:
		return fmt.Errorf("%w: root at view %d without its finalization", ErrConfig, h.View)
	}
	return cert.VerifyFinalization(set, cfg.ChainID, r.Finalization)
}

// checkKeys tests that a validator has the secrets that its entry asks for.
func (cfg *Config) checkKeys() error {
	if cfg.Key.IsZero() || cfg.Set.Index(cfg.Key.Public()) < 0 {
		return nil
	}
	e := cfg.Set.Entry(cfg.Set.Index(cfg.Key.Public()))
	if cfg.Set.Aggregates() {
		if k := cfg.BLS; k.IsZero() || string(e.BLS) != keyText(k.Public()) {
			return fmt.Errorf("%w: the set has another BLS key for this validator", ErrConfig)
		}
	}
	if cfg.Set.Draws() {
		if k := cfg.VRF; k.IsZero() || cfg.Set.VRF(cfg.Set.Index(cfg.Key.Public())) != k.Public() {
			return fmt.Errorf("%w: the set has another VRF key for this validator", ErrConfig)
		}
	}
	return nil
}

func keyText(k [96]byte) string { return string(k[:]) }

// ends reports whether h is the seal on which an epoch stands.
func ends(h *header.Header, epoch uint64) bool {
	return h.Kind == header.KindSeal && h.Epoch+1 == epoch
}

// starts reports whether r is the root of the epoch.
func (r *Root) starts(epoch uint64) bool { return r.Header.View == 0 || ends(&r.Header, epoch) }
