// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// soloBatch is the size up to which checking one by one is as fast.
const soloBatch = 2

// BatchVerifier checks many signatures at about two thirds of the cost of one
// by one, with the same verdicts as Verify. The zero value is empty. Not safe
// for concurrent use. Spec: KEY-01.
type BatchVerifier struct{ jobs []signed }

type signed struct {
	pk  PublicKey
	msg []byte
	sig Signature
	ex  *Expanded // of pk, or nil
}

func (j *signed) verify() bool {
	if j.ex != nil {
		return j.ex.Verify(j.msg, j.sig)
	}
	return Verify(j.pk, j.msg, j.sig)
}

// Add queues one signature. msg is kept until Verify returns and must not
// change before.
func (b *BatchVerifier) Add(pk PublicKey, msg []byte, sig Signature) {
	b.jobs = append(b.jobs, signed{pk: pk, msg: msg, sig: sig})
}

// AddExpanded is Add for an expanded key. A batch of such keys alone is faster.
func (b *BatchVerifier) AddExpanded(k *Expanded, msg []byte, sig Signature) {
	b.jobs = append(b.jobs, signed{pk: k.pk, ex: k, msg: msg, sig: sig})
}

// Verify returns one verdict per queued signature, in the order of Add, and
// empties the queue. A batch that fails is bisected, so few bad signatures cost
// few extra checks.
//
// The random coefficients of the batch equation come from a hash over the whole
// batch, so the verdict is a function of the input. Whoever makes a batch pass
// that holds a bad signature has found a 128-bit collision of that hash.
func (b *BatchVerifier) Verify() []bool {
	out := make([]bool, len(b.jobs))
	bisect(b.jobs, out)
	b.jobs = nil
	return out
}

// bisect writes the verdicts of jobs into out.
func bisect(jobs []signed, out []bool) {
	if len(jobs) > soloBatch && batchOK(jobs) {
		for i := range out {
			out[i] = true
		}
		return
	}
	if len(jobs) <= soloBatch {
		for i := range jobs {
			out[i] = jobs[i].verify()
		}
		return
	}
	m := len(jobs) / 2
	bisect(jobs[:m], out[:m])
	bisect(jobs[m:], out[m:])
}

// batchOK checks the batch equation over jobs.
func batchOK(jobs []signed) bool {
	v := ed25519.NewBatchVerifierWithCapacity(len(jobs))
	h := sha512.New()
	for _, j := range jobs {
		if j.ex != nil && j.ex.ex != nil {
			v.AddExpandedWithOptions(j.ex.ex, j.msg, j.sig[:], zip215)
		} else {
			v.AddWithOptions(j.pk[:], j.msg, j.sig[:], zip215)
		}
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(j.msg)))
		h.Write(j.pk[:])
		h.Write(j.sig[:])
		h.Write(size[:])
		h.Write(j.msg)
	}
	return v.VerifyBatchOnly(bytes.NewReader(h.Sum(nil)))
}
