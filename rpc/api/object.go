// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
)

// ObjectBackend reads the objects of the ledger. A get with Prove adds the proof
// that `openledger verify proof` checks.
type ObjectBackend interface {
	AccountGet(context.Context, AccountParams) (AccountView, error)
	AccountPayouts(context.Context, AccountParams) (AccountPayouts, error)
	DatanetGet(context.Context, IDParams) (Object[state.Datanet], error)
	DatanetList(context.Context, Page) (List[state.Datanet], error)
	DatasetGet(context.Context, IDParams) (Object[state.Dataset], error)
	DatasetList(context.Context, DatasetListParams) (List[state.Dataset], error)
	DatasetManifest(context.Context, IDParams) (DatasetManifest, error)
	DatasetAnnounce(context.Context, AnnounceParams) (Empty, error)
	LicenceGet(context.Context, IDParams) (Object[state.Terms], error)
	LicenceList(context.Context, Page) (List[state.Terms], error)
	ModelGet(context.Context, IDParams) (Object[state.Model], error)
	ModelList(context.Context, Page) (List[state.Model], error)
	TaskGet(context.Context, IDParams) (Object[task.Task], error)
	TaskList(context.Context, Page) (List[task.Task], error)
	ChainCandidates(context.Context, Page) (List[state.Candidate], error)
	AccountStake(context.Context, StakeParams) (StakeView, error)
	ComputeOperators(context.Context, Page) (List[state.Operator], error)
	ComputeOffers(context.Context, Page) (List[state.Offer], error)
	ChannelGet(context.Context, IDParams) (ChannelView, error)
	ChannelList(context.Context, Page) (List[channel.Channel], error)
	InferCommits(context.Context, Page) (List[receipt.Commit], error)
	PoaReport(context.Context, IDParams) (Object[state.Attribution], error)
}

// IDParams names one object.
type IDParams struct {
	ID    Hash `json:"id"`
	Prove bool `json:"prove,omitempty"`
}

// StakeParams names an account's stake with a validator.
type StakeParams struct {
	Validator keys.Address `json:"validator"`
	Address   keys.Address `json:"address"`
}

// StakeView is an account's stake with a validator: shares of its pool, how many
// of them a redelegation locks, what all are worth, and the rewards not yet paid,
// of a validator its commission included.
type StakeView struct {
	Validator keys.Address `json:"validator"`
	Address   keys.Address `json:"address"`
	Shares    uint64       `json:"shares"`
	Locked    uint64       `json:"locked"`
	Worth     fixed.Amount `json:"worth"`
	Rewards   fixed.Amount `json:"rewards"`
	Height    uint64       `json:"height"`
}

// Object is one object with its id and, if asked for, its proof.
type Object[T any] struct {
	ID     Hash        `json:"id"`
	Value  T           `json:"value"`
	Height uint64      `json:"height"`
	Proof  *StateProof `json:"proof,omitempty"`
}

// Item is one object of a list.
type Item[T any] struct {
	ID    Hash `json:"id"`
	Value T    `json:"value"`
}

// List is a page of objects by id.
type List[T any] struct {
	Items []Item[T] `json:"items"`
	Next  string    `json:"next,omitempty"`
}

// AccountParams names an account.
type AccountParams struct {
	Address keys.Address `json:"address"`
	Prove   bool         `json:"prove,omitempty"`
}

// AccountView is an account's balance and roles.
type AccountView struct {
	Address  keys.Address    `json:"address"`
	Balance  fixed.Amount    `json:"balance"`
	Nonce    uint64          `json:"nonce"`
	Pending  int             `json:"pending"` // own transactions in this node's mempool
	Operator *state.Operator `json:"operator,omitempty"`
	Height   uint64          `json:"height"`
	Proof    *StateProof     `json:"proof,omitempty"`
}

// Payout is what one settled commit owes an account.
type Payout struct {
	Commit   Hash         `json:"commit"`
	Offer    Hash         `json:"offer"`
	Operator keys.Address `json:"operator"`
	Epoch    uint64       `json:"epoch"`
	Amount   fixed.Amount `json:"amount"`
	Claimed  bool         `json:"claimed"`
	Settled  bool         `json:"settled"`
}

// AccountPayouts lists payouts and their sums.
type AccountPayouts struct {
	Items   []Payout     `json:"items"`
	Claimed fixed.Amount `json:"claimed"`
	Open    fixed.Amount `json:"open"`
	// Unreachable are operators with commits whose nodes did not answer.
	Unreachable []keys.Address `json:"unreachable,omitempty"`
}

// DatasetListParams narrows a listing to one Datanet or owner.
type DatasetListParams struct {
	Page
	Datanet *Hash         `json:"datanet,omitempty"`
	Owner   *keys.Address `json:"owner,omitempty"`
}

// DatasetManifest says what this node knows of a dataset's content.
type DatasetManifest struct {
	ID        Hash       `json:"id"`
	Manifest  []byte     `json:"manifest"` // canonical bytes
	Content   content.ID `json:"content_cid"`
	Providers []string   `json:"providers"`
	Local     bool       `json:"local"` // the content is on this node's disk
}

// AnnounceParams carries the signed announcement that is gossiped.
type AnnounceParams struct {
	Announcement []byte `json:"announcement"`
}

// ChannelView is a channel with its lanes that this node knows of.
type ChannelView struct {
	ID      Hash            `json:"id"`
	Value   channel.Channel `json:"value"`
	Lanes   []LaneView      `json:"lanes"`
	CTimeMS uint64          `json:"ctime_ms"` // chain time now
	Height  uint64          `json:"height"`
	Proof   *StateProof     `json:"proof,omitempty"`
}

// LaneView is one lane: what is redeemed on chain and, at the operator, the
// newest voucher held.
type LaneView struct {
	Offer    Hash                   `json:"offer"`
	Nonce    uint64                 `json:"nonce"`
	Redeemed fixed.Amount           `json:"redeemed"`
	Newest   *channel.SignedVoucher `json:"newest,omitempty"`
}

const exampleID = `{"id":"` + exampleHash + `"}`

var objectMethods = []Method{
	def("account_get", Read, "Balance, nonce and roles of an account.", `{"address":"`+exampleAddress+`","prove":true}`, Backend.AccountGet),
	def("account_payouts", Read, "What settled answers owe an account.", `{"address":"`+exampleAddress+`"}`, Backend.AccountPayouts),
	def("datanet_get", Read, "A Datanet.", exampleID, Backend.DatanetGet),
	def("datanet_list", Read, "Datanets.", `{}`, Backend.DatanetList),
	def("dataset_get", Read, "A dataset.", exampleID, Backend.DatasetGet),
	def("dataset_list", Read, "Datasets, of one Datanet or owner.", `{}`, Backend.DatasetList),
	def("dataset_manifest", Read, "A dataset's manifest and who provides its content.", exampleID, Backend.DatasetManifest),
	def("dataset_announce", Submit, "Gossip a signed announcement of a dataset or model.", `{"announcement":""}`, Backend.DatasetAnnounce),
	def("licence_get", Read, "Licence terms.", exampleID, Backend.LicenceGet),
	def("licence_list", Read, "Licence terms known to the ledger.", `{}`, Backend.LicenceList),
	def("model_get", Read, "A model version.", exampleID, Backend.ModelGet),
	def("model_list", Read, "Model versions.", `{}`, Backend.ModelList),
	def("task_get", Read, "A task: descriptor, state, checkers, verdicts.", exampleID, Backend.TaskGet),
	def("task_list", Read, "Tasks.", `{}`, Backend.TaskList),
	def("chain_candidates", Read, "Registered validators and their pools; an id is the account's address.", `{}`, Backend.ChainCandidates),
	def("account_stake", Read, "What an account has staked with a validator.", `{"validator":"`+exampleAddress+`","address":"`+exampleAddress+`"}`, Backend.AccountStake),
	def("compute_operators", Read, "Registered operators.", `{}`, Backend.ComputeOperators),
	def("compute_offers", Read, "Prices of answers.", `{}`, Backend.ComputeOffers),
	def("channel_get", Read, "A payment channel and its lanes.", exampleID, Backend.ChannelGet),
	def("channel_list", Read, "Payment channels.", `{}`, Backend.ChannelList),
	def("infer_commits", Read, "Epoch commits of operators.", `{}`, Backend.InferCommits),
	def("poa_report", Read, "The attribution recorded for a model.", exampleID, Backend.PoaReport),
}
