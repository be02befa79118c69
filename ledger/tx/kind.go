// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
)

// ID is an object id (KEY-05) or another bare 32-byte value. Text form: 0x and
// 64 lower-case hex digits.
type ID = channel.ID

// Kind is a transaction kind: module byte and number (LEDGER section 3).
type Kind uint16

// The kinds that exist.
const (
	KindTransfer          Kind = 0x0101
	KindFaucetDrip        Kind = 0x0104
	KindStake             Kind = 0x0201
	KindUnstake           Kind = 0x0202
	KindRedelegate        Kind = 0x0203
	KindValidatorRegister Kind = 0x0204
	KindValidatorEdit     Kind = 0x0205
	KindUnjail            Kind = 0x0206
	KindSlashEvidence     Kind = 0x0207
	KindRewardClaim       Kind = 0x0208
	KindValidatorReady    Kind = 0x020a
	KindDatasetUpload     Kind = 0x0301
	KindDatanetCreate     Kind = 0x0401
	KindModelManifest     Kind = 0x0501
	KindTrainDescriptor   Kind = 0x0600
	KindTaskClaim         Kind = 0x0601
	KindTaskCommit        Kind = 0x0602
	KindCheckCommit       Kind = 0x0604
	KindCheckReveal       Kind = 0x0605
	KindComputeRegister   Kind = 0x0700
	KindOfferPost         Kind = 0x0703
	KindChannelOpen       Kind = 0x0801
	KindChannelRedeem     Kind = 0x0803
	KindChannelClose      Kind = 0x0804
	KindEpochCommit       Kind = 0x0901
	KindClaimEpoch        Kind = 0x0a01
	KindAttributionCommit Kind = 0x1301
)

// Kinds lists every kind with its name, ascending.
var Kinds = []struct {
	Kind Kind
	Name string
}{
	{KindTransfer, "Transfer"},
	{KindFaucetDrip, "FaucetDrip"},
	{KindStake, "Stake"},
	{KindUnstake, "Unstake"},
	{KindRedelegate, "Redelegate"},
	{KindValidatorRegister, "ValidatorRegister"},
	{KindValidatorEdit, "ValidatorEdit"},
	{KindUnjail, "Unjail"},
	{KindSlashEvidence, "SlashEvidence"},
	{KindRewardClaim, "RewardClaim"},
	{KindValidatorReady, "ValidatorReady"},
	{KindDatasetUpload, "DatasetUpload"},
	{KindDatanetCreate, "DatanetCreate"},
	{KindModelManifest, "ModelManifest"},
	{KindTrainDescriptor, "TrainDescriptor"},
	{KindTaskClaim, "TaskClaim"},
	{KindTaskCommit, "TaskCommit"},
	{KindCheckCommit, "CheckCommit"},
	{KindCheckReveal, "CheckReveal"},
	{KindComputeRegister, "ComputeRegister"},
	{KindOfferPost, "OfferPost"},
	{KindChannelOpen, "ChannelOpen"},
	{KindChannelRedeem, "ChannelRedeem"},
	{KindChannelClose, "ChannelClose"},
	{KindEpochCommit, "EpochCommit"},
	{KindClaimEpoch, "ClaimEpoch"},
	{KindAttributionCommit, "AttributionCommit"},
}

// New returns an empty payload of kind k to decode into, or nil if k is unknown.
func New(k Kind) Payload {
	switch k {
	case KindTransfer:
		return &Transfer{}
	case KindFaucetDrip:
		return &FaucetDrip{}
	case KindStake:
		return &Stake{}
	case KindUnstake:
		return &Unstake{}
	case KindRedelegate:
		return &Redelegate{}
	case KindValidatorRegister:
		return &ValidatorRegister{}
	case KindValidatorEdit:
		return &ValidatorEdit{}
	case KindUnjail:
		return &Unjail{}
	case KindSlashEvidence:
		return &SlashEvidence{}
	case KindRewardClaim:
		return &RewardClaim{}
	case KindValidatorReady:
		return &ValidatorReady{}
	case KindDatasetUpload:
		return &DatasetUpload{}
	case KindDatanetCreate:
		return &DatanetCreate{}
	case KindModelManifest:
		return &ModelManifest{}
	case KindTrainDescriptor:
		return &TrainDescriptor{}
	case KindTaskClaim:
		return &TaskClaim{}
	case KindTaskCommit:
		return &TaskCommit{}
	case KindCheckCommit:
		return &CheckCommit{}
	case KindCheckReveal:
		return &CheckReveal{}
	case KindComputeRegister:
		return &ComputeRegister{}
	case KindOfferPost:
		return &OfferPost{}
	case KindChannelOpen:
		return &ChannelOpen{}
	case KindChannelRedeem:
		return &ChannelRedeem{}
	case KindChannelClose:
		return &ChannelClose{}
	case KindEpochCommit:
		return &EpochCommit{}
	case KindClaimEpoch:
		return &ClaimEpoch{}
	case KindAttributionCommit:
		return &AttributionCommit{}
	}
	return nil
}

// String returns the name, or the number of an unknown kind.
func (k Kind) String() string {
	for i := range Kinds {
		if Kinds[i].Kind == k {
			return Kinds[i].Name
		}
	}
	return fmt.Sprintf("0x%04x", uint16(k))
}

// MarshalText returns String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is ParseKind.
func (k *Kind) UnmarshalText(b []byte) error {
	v, err := ParseKind(string(b))
	if err == nil {
		*k = v
	}
	return err
}

// ParseKind reads a kind's name. Errors: EncKind.
func ParseKind(name string) (Kind, error) {
	for i := range Kinds {
		if Kinds[i].Name == name {
			return Kinds[i].Kind, nil
		}
	}
	return 0, Errorf(EncKind, "no kind is named %q", name)
}

// ParsePayload reads the JSON form of a payload of kind k: an object with the
// fields' JSON names, unknown names refused. It does not Check the values.
// Errors: EncKind, EncField.
func ParsePayload(k Kind, b []byte) (Payload, error) {
	p := New(k)
	if p == nil {
		return nil, Errorf(EncKind, "kind %v", k)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, Errorf(EncField, "%v: %v", k, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, Errorf(EncField, "%v: more than one JSON value", k)
	}
	return p, nil
}

// ObjectID is the id of the index-th object that a transaction creates:
// H(dom("id", txid, kind, index)), known before inclusion. Spec: KEY-05.
func ObjectID(txid ID, k Kind, index uint64) ID {
	return ID(keys.Sum(keys.DomainID, txid, uint16(k), index))
}
