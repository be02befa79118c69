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
	"github.com/openledger/openledger/poa/decoder"
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
	evaluate, answer := ask(4), ask(5)
	answer.Ask.Max, answer.Ask.Temperature, answer.Ask.TopP, answer.Ask.TopK, answer.Ask.Seed = 32, 0x3f4ccccd, 0x3f666666, 40, 11
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
		learn(),
		adapt(),
		evaluate,
		answer,
		&DatasetUpload{Datanet: id(1), Name: "a text", Content: content.Sum([]byte("text")), RowRoot: id(2),
			Manifest: content.SumSHA256([]byte("manifest")), Rows: 300, Bytes: MaxTextBytes, Terms: id(3), Stake: 2 * fixed.OPEN},
		&ModelManifest{Name: "from elsewhere", WeightsRoot: id(2), Weights: content.Sum([]byte("weights")), Bytes: 2_600,
			Terms: id(3), AttrMethod: NoAttribution, Stake: 4 * fixed.OPEN},
		&ModelManifest{Name: "of a text", Task: id(1), WeightsRoot: id(2), Weights: content.Sum([]byte("weights")), Bytes: 2_600,
			Terms: id(3), AttrMethod: NoAttribution, Stake: fixed.OPEN},
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

// learn is a task that makes a small language model from nothing.
func learn() *TrainDescriptor {
	p := descriptor()
	p.TaskKind, p.Train, p.Validation = 3, nil, ID{}
	p.Learn = &decoder.Learn{Net: decoder.Net{Arch: decoder.Arch{Layers: 2, Hidden: 32, Inner: 64, Heads: 4, KVHeads: 2, HeadDim: 8, Vocab: 512,
		Positions: 128, Eps: 0x3727c5ac, Tied: true}}, Seqs: 4, Tokens: 128, Steps: 100, StepsPerSegment: 20, Seed: 7, Optimizer: decoder.AdamW,
		Beta1: 0x3f666666, Beta2: 0x3f733333, Eps: 0x322bcc77, Decay: 0x3dcccccd, Clip: 0x3f800000, Rate: 0x3a83126f, Warm: 10}
	return p
}

// adapt is a task that makes adapters of a model.
func adapt() *TrainDescriptor {
	p := learn()
	p.Model, p.Validation = id(9), id(3)
	p.Learn.Net.Int8 = true
	p.Learn.Net.LoRA = decoder.LoRA{Rank: 8, Scale: 0x40000000, Targets: []string{"q", "v"}}
	return p
}

// ask is a task of a kind that asks a language model.
func ask(kind uint8) *TrainDescriptor {
	p := descriptor()
	p.TaskKind, p.Train, p.Validation, p.Model = kind, nil, ID{}, id(9)
	p.Ask = &decoder.Ask{Rows: 64, Tokens: 256, Int8: true}
	return p
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
