// SPDX-License-Identifier: Apache-2.0

//go:build mutant

package twins

import (
	"errors"
	"testing"

	"github.com/openledger/openledger/consensus"
)

// TestMutants shows what the enumeration would notice: each of these broken
// rules fails within the scenarios of two views. Run it with -tags mutant.
func TestMutants(t *testing.T) {
	defer consensus.Mutate("none")
	for _, name := range []string{"nullify-final", "finalize-nullified", "finalize-other"} {
		t.Run(name, func(t *testing.T) {
			consensus.Mutate(name)
			c := cache(t)
			for i := range Count(2) {
				if err := At(2, i).Run(c); err != nil {
					t.Logf("scenario %d: %v", i, err)
					return
				}
			}
			t.Error("no scenario fails")
		})
	}
}

// TestExplorerNoticesMutants does the same for the exploration, whose crash loses
// nothing: a core that forgets its votes speaks twice after it.
func TestExplorerNoticesMutants(t *testing.T) {
	defer consensus.Mutate("none")
	for _, name := range []string{"finalize-nullified", "finalize-other", "forget-votes"} {
		t.Run(name, func(t *testing.T) {
			consensus.Mutate(name)
			for faulty := range copies - 1 {
				if _, err := NewExplorer(cache(t), faulty).Run(20_000); err != nil {
					t.Logf("faulty key %d: %v", faulty, err)
					return
				}
			}
			t.Error("no state fails")
		})
	}
}

// TestTracesNoticeMutants plays the traces of the model on cores with one broken
// rule. The other mutants break what the model leaves out: bodies, disks, time.
func TestTracesNoticeMutants(t *testing.T) {
	defer consensus.Mutate("none")
	list := traces(t)
	for _, name := range []string{"nullify-final", "finalize-nullified", "forget-votes", "no-gap-check", "no-parent-check",
		"notarized-seal", "leader-off", "no-guard", "no-ancestor"} {
		t.Run(name, func(t *testing.T) {
			consensus.Mutate(name)
			c := cache(t)
			for i := range list {
				if err := newStage(c, &list[i]).run(&list[i]); err != nil && !errors.Is(err, errEarly) {
					t.Logf("trace %d: %v", i+1, err)
					return
				}
			}
			t.Error("no trace fails")
		})
	}
}
