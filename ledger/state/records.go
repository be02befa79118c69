// SPDX-License-Identifier: Apache-2.0

package state

import (
	"crypto/sha256"

	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/vrf"
)

// Account is the balance and sequence of an address. Auth is null until the first
// transaction reveals it. Delegates and Vest are always empty so far.
// Spec: ACC-01.
type Account struct {
	_         struct{}     `cbor:",toarray"`
	Auth      *keys.Auth   `json:"auth,omitempty"`
	Nonce     uint64       `json:"nonce"`
	Free      fixed.Amount `json:"free"`
	Delegates []uint64     `json:"delegates,omitempty"`
	Vest      *uint64      `json:"vest,omitempty"`
}

// Validator is one member of a set, in the order of valset.New, which is the
// order of header.Leader. A set has BLS and VRF keys for all or, on networks of
// tests, for none: then they are zero. Power is one unit per OPEN.
type Validator struct {
	_       struct{}       `cbor:",toarray"`
	Address keys.Address   `json:"address"`
	VoteKey keys.PublicKey `json:"vote_key"`
	BLSKey  bls.PublicKey  `json:"bls_key"`
	VRFKey  vrf.PublicKey  `json:"vrf_key"`
	Power   uint64         `json:"power"`
}

// Clock is where the chain stands after a block. TimeMS is the header's time,
// CTimeMS the chain clock of ACC-03; BaseFee is base units per unit of weight for
// the next block, Weight what the last block used. Epoch is the epoch of the next
// block, which began with the genesis or a seal at header time EpochStartMS and
// chain time EpochCTimeMS (EXE-04).
type Clock struct {
	_       struct{}     `cbor:",toarray"`
	Height  uint64       `json:"height"`
	TimeMS  uint64       `json:"time_ms"`
	CTimeMS uint64       `json:"ctime_ms"`
	BaseFee fixed.Amount `json:"base_fee"`
	Weight  uint64       `json:"weight"`

	Epoch        uint64 `json:"epoch"`
	EpochStartMS uint64 `json:"epoch_start_ms"`
	EpochCTimeMS uint64 `json:"epoch_ctime_ms"`
}

// Due reports whether the next block, if its header time were timeMS, ends the
// epoch: it is a seal (EXE-04).
func (c Clock) Due(p Params, timeMS uint64) bool {
	return timeMS >= c.EpochStartMS && timeMS-c.EpochStartMS >= p.EpochMS
}

// Flags of Terms: what the licence permits.
const (
	TermsTrain uint64 = 1 << iota
	TermsFineTune
	TermsInfer
	TermsRetrieve
	TermsCommercial
	TermsDerive
	TermsRedistribute
	TermsEval
)

// Terms are licence terms; their id is H(cbor). RevBPS and RevCeiling are an
// upstream share and its limit in base units. TextHash is SHA-256 of the licence
// text. Spec: LIC-01.
type Terms struct {
	_           struct{}     `cbor:",toarray"`
	SPDX        string       `json:"spdx"`
	Flags       uint64       `json:"flags"`
	RevBPS      uint64       `json:"rev_bps"`
	RevCeiling  fixed.Amount `json:"rev_ceiling"`
	Attribution bool         `json:"attribution"`
	Reciprocal  bool         `json:"reciprocal"`
	Approval    bool         `json:"approval"`
	Purposes    []string     `json:"purposes,omitempty"`
	ExpiryMS    *uint64      `json:"expiry_ms,omitempty"`
	Compat      []ID         `json:"compat,omitempty"`
	TextHash    ID           `json:"text_hash"`
}

// ID is the id of the terms: H(cbor). Spec: LIC-01.
func (t Terms) ID() ID { return ID(sha256.Sum256(enc.Encode(t))) }

// Datanet is a registry of datasets. Spec: DAT-01.
type Datanet struct {
	_         struct{}     `cbor:",toarray"`
	Owner     keys.Address `json:"owner"`
	Name      string       `json:"name"`
	Gate      uint8        `json:"gate"`
	Terms     []ID         `json:"terms"`
	StakeBase fixed.Amount `json:"stake_base"`
	CreatedMS uint64       `json:"created_ms"`
	Deposit   fixed.Amount `json:"deposit"`
}

// Dataset is a registered dataset; it is active at once. Features is 0 for a text.
// Spec: DAT-02.
type Dataset struct {
	_         struct{}     `cbor:",toarray"`
	Owner     keys.Address `json:"owner"`
	Datanet   ID           `json:"datanet"`
	Name      string       `json:"name"`
	Content   content.ID   `json:"content_cid"`
	RowRoot   ID           `json:"row_root"`
	Manifest  content.ID   `json:"manifest_cid"`
	Rows      uint64       `json:"rows"`
	Features  uint64       `json:"features"`
	Bytes     uint64       `json:"bytes"`
	Terms     ID           `json:"terms"`
	Stake     fixed.Amount `json:"stake"`
	CreatedMS uint64       `json:"created_ms"`
	Height    uint64       `json:"height"`   // of the block of the upload
	TxIndex   uint64       `json:"tx_index"` // of the upload in that block
	Deposit   fixed.Amount `json:"deposit"`
}

// Model is an immutable model version. Datasets and Validation are those of its
// task; a model that no task made is Unreplayed, with Task zero. Base is the model
// whose adapters these weights are, zero for whole weights. Royalty is base units
// per request. Spec: MOD-01, MOD-02.
type Model struct {
	_           struct{}     `cbor:",toarray"`
	Owner       keys.Address `json:"owner"`
	Name        string       `json:"name"`
	Task        ID           `json:"task"`
	Unreplayed  bool         `json:"unreplayed"`
	Base        ID           `json:"base"`
	WeightsRoot ID           `json:"weights_root"`
	Weights     content.ID   `json:"weights_cid"`
	Bytes       uint64       `json:"bytes"`
	Datasets    []ID         `json:"datasets"`
	Validation  ID           `json:"validation"`
	Terms       ID           `json:"terms"`
	Royalty     fixed.Amount `json:"royalty"`
	AttrMethod  string       `json:"attr_method"`
	K           uint64       `json:"k"`
	Stake       fixed.Amount `json:"stake"`
	CreatedMS   uint64       `json:"created_ms"`
	Deposit     fixed.Amount `json:"deposit"`
}

// Attribution is the result of an attribution job for a model. Spec: FLW-01.
type Attribution struct {
	_          struct{}     `cbor:",toarray"`
	Job        ID           `json:"job"`
	Rule       string       `json:"rule"`
	WeightRoot ID           `json:"weight_root"`
	W          uint64       `json:"w"`
	Owners     uint64       `json:"owners"`
	ResultRoot ID           `json:"result_root"`
	Leaves     uint64       `json:"leaves"`
	Params     []byte       `json:"params,omitempty"`
	Bond       fixed.Amount `json:"bond"`
	CreatedMS  uint64       `json:"created_ms"`
	Deposit    fixed.Amount `json:"deposit"`
}

// Operator is an account that offers compute. Spec: TASK-03.
type Operator struct {
	_           struct{}     `cbor:",toarray"`
	DeviceClass string       `json:"device_class"`
	PeerID      []byte       `json:"peer_id"`
	Bond        fixed.Amount `json:"bond"`
	CreatedMS   uint64       `json:"created_ms"`
	Deposit     fixed.Amount `json:"deposit"`
}

// Offer is an immutable price for answers of a model; its id names a lane. Ask is
// base units per request, ValidUntil chain milliseconds.
type Offer struct {
	_          struct{}     `cbor:",toarray"`
	Operator   keys.Address `json:"operator"`
	Model      ID           `json:"model"`
	Ask        fixed.Amount `json:"ask"`
	ValidUntil uint64       `json:"valid_until"`
	CreatedMS  uint64       `json:"created_ms"`
	Deposit    fixed.Amount `json:"deposit"`
}
