// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"bytes"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/poa/program"
)

func id(b byte) ID { return ID(repeat(b)) }

func sorted(list ...ID) []ID {
	slices.SortFunc(list, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
	return list
}

func testAddr(b byte) keys.Address { return keys.Address(repeat(b)) }

// samples holds one valid payload of every kind.
func samples(t testing.TB) []Payload {
	t.Helper()
	leaves := make([]merkle.SumLeaf, 5)
	for i := range leaves {
		leaves[i] = merkle.SumLeaf{Sum: uint64(10 * i), Body: []byte{byte(i)}}
	}
	proof, err := merkle.ProveSumRange(leaves, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	voucher := channel.Sign(testKey(), testChain, channel.Voucher{Channel: id(1), Offer: id(2), Nonce: 7, Cum: 35_000, ExpiryMS: 9_000})
	attribute := descriptor()
	attribute.TaskKind, attribute.Train = 2, nil
	attribute.Attribute = &program.Attribute{Method: program.KNN, K: 5, Soft: true, Rows: 25, Tau: 3}
	return []Payload{
		&Transfer{To: testAddr(0x22), Amount: 1_500_000_000, Memo: []byte("rent")},
		&FaucetDrip{To: testAddr(0x22)},
		&Stake{Validator: testAddr(0x22), Amount: 5 * fixed.OPEN},
		&Unstake{Validator: testAddr(0x22), Shares: 1_000_000_000},
		&Redelegate{From: testAddr(0x22), To: testAddr(0x33), Shares: 1_000_000_000},
		NewValidatorRegister(testChain, testAddr(0x44), testKey(), 500, 10_000*fixed.OPEN),
		&ValidatorEdit{Commission: 600},
		&Unjail{},
		&SlashEvidence{Evidence: []byte{0x81, 0x01}},
		&RewardClaim{Validator: testAddr(0x22)},
		&ValidatorReady{Epoch: 7, Protocol: 1},
		&DatasetUpload{Datanet: id(1), Name: "digits, part 1", Content: content.Sum([]byte("csv")), RowRoot: id(2),
			Manifest: content.SumSHA256([]byte("manifest")), Rows: 300, Features: 64, Bytes: 40_000, Terms: id(3), Stake: 2 * fixed.OPEN},
		&DatanetCreate{Name: "digits", Terms: sorted(id(3), id(4)), StakeBase: 2 * fixed.OPEN},
		&ModelManifest{Name: "digits v1", Task: id(1), WeightsRoot: id(2), Weights: content.Sum([]byte("weights")), Bytes: 2_600,
			Terms: id(3), Royalty: 1_000, AttrMethod: program.KNN, K: 5, Stake: fixed.OPEN},
		descriptor(),
		attribute,
		&TaskClaim{Task: id(1)},
		&TaskCommit{Task: id(1), Root: id(2), Segments: 8, OutputRoot: id(3), Output: content.Sum([]byte("weights")), OutputBytes: 2_600},
		&CheckCommit{Task: id(1), Hash: CheckHash(id(1), testAddr(2), id(3), id(4), id(5))},
		&CheckReveal{Task: id(1), Root: id(3), OutputRoot: id(4), Salt: id(5)},
		&ComputeRegister{DeviceClass: "cpu", PeerID: []byte{0, 1, 2}, Bond: 5 * fixed.OPEN},
		&OfferPost{Model: id(1), Ask: 5_000, ValidUntil: 1_700_000_000_000},
		&ChannelOpen{Payee: testAddr(0x22), Deposit: fixed.OPEN, WindowMS: 10_000, ExpiryMS: 1_700_000_000_000, MaxLanes: 4},
		&ChannelRedeem{Vouchers: []channel.SignedVoucher{voucher}},
		&ChannelClose{Channel: id(1)},
		&EpochCommit{Epoch: 170_000_000, Offer: id(1), ReceiptRoot: id(2), ReceiptSum: 60_000, ReceiptCount: 10, LineRoot: id(3),
			LineSum: 5_000, LineCount: 20, Rule: "poa/1", Bond: 3_750},
		&ClaimEpoch{Commit: id(1), Payee: testAddr(0x22), First: 1, Last: 3, Proof: proof},
		&AttributionCommit{Model: id(1), Job: id(2), Rule: "poa/1", WeightRoot: id(3), W: 1 << 40, Owners: 6, ResultRoot: id(4),
			Leaves: 4, Params: []byte{1, 2}, Bond: fixed.OPEN},
	}
}

func descriptor() *TrainDescriptor {
	return &TrainDescriptor{
		TaskKind: 1,
		Train: &program.Train{Model: program.MLP, Features: 64, Classes: 10, Hidden: 16, Scale: 16, Batch: 32, StepsPerSegment: 50,
			Segments: 8, LR: 0x3f000000, L2: 0x38d1b717, Momentum: 0x3f666666, Seed: 7},
		Datasets: sorted(id(1), id(2)), Validation: id(3), Price: 10 * fixed.OPEN, CheckFee: 3 * fixed.OPEN,
		ClaimMS: 5_000, WorkMS: 60_000, CheckMS: 60_000, RevealMS: 60_000,
	}
}

func TestEveryKindHasASampleThatVerifiesAndRoundTrips(t *testing.T) {
	seen := map[Kind]bool{}
	for _, p := range samples(t) {
		seen[p.Kind()] = true
		s := Sign(testChain, Body{Nonce: 3, MaxFee: 50_000, Tip: 5, ValidUntil: 90, Payload: p}, testKey())
		raw := s.Encode()
		d, err := Decode(raw)
		if err != nil {
			t.Errorf("%v: %v", p.Kind(), err)
			continue
		}
		v, err := Verify(testChain, d)
		if err != nil {
			t.Errorf("%v: %v", p.Kind(), err)
			continue
		}
		if !bytes.Equal(d.Encode(), raw) || v.ID() != s.Body.ID(testChain) {
			t.Errorf("%v: does not round trip", p.Kind())
		}
		if p.Writes() == 0 || v.Weight(1) <= 4*uint64(len(raw)) {
			t.Errorf("%v: weight %d", p.Kind(), v.Weight(1))
		}
	}
	for _, k := range Kinds {
		if !seen[k.Kind] || New(k.Kind) == nil || New(k.Kind).Kind() != k.Kind {
			t.Errorf("%v has no sample or no constructor", k.Name)
		}
	}
	if New(0x0102) != nil {
		t.Error("an unknown kind has a constructor")
	}
}
