// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
)

// InferBackend serves paid answers and the evidence for them.
type InferBackend interface {
	InferModels(context.Context, Empty) (InferModels, error)
	InferRun(context.Context, InferParams) (InferAnswer, error)
	PoaWhy(context.Context, WhyParams) (Why, error)
	PoaClaim(context.Context, ClaimParams) (Claim, error)
}

// Served is one model that this network answers with.
type Served struct {
	Offer    Hash         `json:"offer"`
	Model    Hash         `json:"model"`
	Name     string       `json:"name"`
	Operator keys.Address `json:"operator"`
	Price    fixed.Amount `json:"price"` // per request: ask and royalty
	Local    bool         `json:"local"` // served by this node
	Features uint64       `json:"features"`
	Classes  uint64       `json:"classes"`
}

// InferModels lists the offers that are open.
type InferModels struct {
	Items []Served `json:"items"`
}

// InferParams pays for one answer with a signed voucher. Features are numbers 0
// to 255 as the model's datasets have them.
type InferParams struct {
	Voucher  channel.SignedVoucher `json:"voucher"`
	Features []uint64              `json:"features"`
}

// Share is one contributor's part of an answer, of 2^40.
type Share struct {
	Owner  keys.Address `json:"owner"`
	Weight uint64       `json:"weight,string"`
}

// InferAnswer is an answer with its signed receipt (canonical bytes). Logits are
// the binary32 bits of each class's value; Salt opens the receipt's commitments.
type InferAnswer struct {
	Label   uint64       `json:"label"`
	Logits  []uint32     `json:"logits"`
	Salt    Hash         `json:"salt"`
	Gross   fixed.Amount `json:"gross"`
	Shares  []Share      `json:"shares"`
	Receipt []byte       `json:"receipt"`
}

// WhyParams asks why an account is paid, or not, by one commit.
type WhyParams struct {
	Account keys.Address `json:"account"`
	Commit  Hash         `json:"commit"`
}

// Why is a self-contained statement that `openledger why` recomputes.
type Why struct {
	Statement []byte `json:"statement"`
}

// ClaimParams asks for the proof that an account needs for ClaimEpoch.
type ClaimParams struct {
	Account keys.Address `json:"account"`
	Commit  Hash         `json:"commit"`
}

// Claim is what a ClaimEpoch transaction needs, as its canonical payload fields.
type Claim struct {
	Amount fixed.Amount `json:"amount"`
	Fields []byte       `json:"fields"` // JSON of the ClaimEpoch payload
}

const exampleInfer = `{"voucher":{"voucher":{"channel":"` + exampleHash + `","offer":"` + exampleHash +
	`","nonce":1,"cum":"1000000","expiry_ms":1},"key":"` + exampleHash + `","sig":"0x` + zeros64 + zeros64 + `"},"features":[0,1]}`

var inferMethods = []Method{
	def("infer_models", Read, "Offers that are open.", `{}`, Backend.InferModels),
	def("infer_run", Submit, "Pay for one answer of a model served by this node.", exampleInfer, Backend.InferRun),
	heavy(def("poa_why", Read, "A statement why an account is paid by a commit.", `{"account":"`+exampleAddress+`","commit":"`+exampleHash+`"}`, Backend.PoaWhy)),
	heavy(def("poa_claim", Read, "The proof with which an account claims.", `{"account":"`+exampleAddress+`","commit":"`+exampleHash+`"}`, Backend.PoaClaim)),
}
