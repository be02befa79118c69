// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/task"
)

// ErrUnknown reports an object that does not exist.
var ErrUnknown = errors.New("no such object")

// need is Load for an object that must exist. Errors: ErrUnknown besides Load's.
func need[T any](v View, what string, k []byte) (T, error) {
	rec, ok, err := Load[T](v, k)
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s %x", ErrUnknown, what, k[2:])
	}
	return rec, err
}

// GetAccount returns the account of a; an address that was never used has the
// zero Account.
func GetAccount(v View, a keys.Address) (Account, error) {
	rec, _, err := LoadAccount(v, a)
	return rec, err
}

// GetParams returns the parameters.
func GetParams(v View) (Params, error) { return need[Params](v, "parameters", ParamsKey()) }

// GetClock returns where the chain stands.
func GetClock(v View) (Clock, error) { return need[Clock](v, "clock", ClockKey()) }

// GetValidators returns the validator set in set order.
func GetValidators(v View) ([]Validator, error) {
	return need[[]Validator](v, "validators", ValidatorsKey())
}

// GetTerms returns licence terms. Errors: ErrUnknown.
func GetTerms(v View, id ID) (Terms, error) { return need[Terms](v, "terms", TermsKey(id)) }

// ListTerms lists licence terms by id after the given one.
func ListTerms(v View, after *ID, limit int) ([]Entry[Terms], error) {
	return list[Terms](v, key(modLicence, 0), after, limit)
}

// GetDatanet returns a Datanet. Errors: ErrUnknown.
func GetDatanet(v View, id ID) (Datanet, error) { return need[Datanet](v, "datanet", DatanetKey(id)) }

// DatanetByName returns the id under a name. Errors: ErrUnknown.
func DatanetByName(v View, name string) (ID, error) {
	return need[ID](v, "datanet", DatanetNameKey(name))
}

// ListDatanets lists Datanets by id after the given one.
func ListDatanets(v View, after *ID, limit int) ([]Entry[Datanet], error) {
	return list[Datanet](v, key(modDatanet, 0), after, limit)
}

// GetDataset returns a dataset. Errors: ErrUnknown.
func GetDataset(v View, id ID) (Dataset, error) { return need[Dataset](v, "dataset", DatasetKey(id)) }

// ListDatasets lists datasets by id after the given one.
func ListDatasets(v View, after *ID, limit int) ([]Entry[Dataset], error) {
	return list[Dataset](v, key(modDataset, 0), after, limit)
}

// GetModel returns a model. Errors: ErrUnknown.
func GetModel(v View, id ID) (Model, error) { return need[Model](v, "model", ModelKey(id)) }

// ListModels lists models by id after the given one.
func ListModels(v View, after *ID, limit int) ([]Entry[Model], error) {
	return list[Model](v, key(modModel, 0), after, limit)
}

// GetAttribution returns the attribution of a model. Errors: ErrUnknown.
func GetAttribution(v View, model ID) (Attribution, error) {
	return need[Attribution](v, "attribution", AttributionKey(model))
}

// GetTask returns a task. Errors: ErrUnknown.
func GetTask(v View, id ID) (task.Task, error) { return need[task.Task](v, "task", TaskKey(id)) }

// ListTasks lists tasks by id after the given one.
func ListTasks(v View, after *ID, limit int) ([]Entry[task.Task], error) {
	return list[task.Task](v, key(modTask, 0), after, limit)
}

// GetOperator returns a registered operator. Errors: ErrUnknown.
func GetOperator(v View, a keys.Address) (Operator, error) {
	return need[Operator](v, "operator", OperatorKey(a))
}

// ListOperators lists operators by address after the given one; the id of an
// entry is the address.
func ListOperators(v View, after *ID, limit int) ([]Entry[Operator], error) {
	return list[Operator](v, key(modCompute, 0), after, limit)
}

// GetOffer returns an offer. Errors: ErrUnknown.
func GetOffer(v View, id ID) (Offer, error) { return need[Offer](v, "offer", OfferKey(id)) }

// ListOffers lists offers by id after the given one.
func ListOffers(v View, after *ID, limit int) ([]Entry[Offer], error) {
	return list[Offer](v, key(modCompute, 1), after, limit)
}

// GetChannel returns a channel. Errors: ErrUnknown.
func GetChannel(v View, id ID) (channel.Channel, error) {
	return need[channel.Channel](v, "channel", ChannelKey(id))
}

// ListChannels lists channels by id after the given one.
func ListChannels(v View, after *ID, limit int) ([]Entry[channel.Channel], error) {
	return list[channel.Channel](v, key(modChannel, 0), after, limit)
}

// GetPending returns the unsettled income of an operator under an offer in a
// ledger epoch. Errors: ErrUnknown.
func GetPending(v View, operator keys.Address, epoch uint64, offer ID) (receipt.Pending, error) {
	return need[receipt.Pending](v, "pending", PendingKey(operator, epoch, offer))
}

// GetCommit returns an epoch commit. Errors: ErrUnknown.
func GetCommit(v View, id ID) (receipt.Commit, error) {
	return need[receipt.Commit](v, "epoch commit", CommitKey(id))
}

// CommitOf returns the id of the commit of an operator, ledger epoch and offer.
// Errors: ErrUnknown.
func CommitOf(v View, operator keys.Address, epoch uint64, offer ID) (ID, error) {
	return need[ID](v, "epoch commit", CommitOfKey(operator, epoch, offer))
}

// ListCommits lists epoch commits by id after the given one.
func ListCommits(v View, after *ID, limit int) ([]Entry[receipt.Commit], error) {
	return list[receipt.Commit](v, key(modEpoch, 0), after, limit)
}

// Balance is what a module account holds, in base units.
type Balance struct {
	_      struct{}     `cbor:",toarray"`
	Name   string       `json:"name"`
	Amount fixed.Amount `json:"amount"`
}

// GetSupply returns every module account's balance by name. The rest of Total is
// in accounts of people.
func GetSupply(v View) ([]Balance, error) {
	out := make([]Balance, len(Modules))
	for i, m := range Modules {
		a, err := GetAccount(v, m.Address)
		if err != nil {
			return nil, err
		}
		out[i] = Balance{Name: m.Name, Amount: a.Free}
	}
	return out, nil
}

// Recount adds up every account, module accounts included. It equals Total in
// every state (INV-01). Cost: a scan of all accounts.
func Recount(v View) (fixed.Amount, error) {
	const page = 1_000
	prefix := key(modAccount, 0)
	var sum fixed.Amount
	var after []byte
	for {
		kvs, err := v.Scan(prefix, after, page)
		if err != nil {
			return 0, err
		}
		for _, kv := range kvs {
			var a Account
			if err := enc.Decode(kv.Value, &a); err != nil {
				return 0, fmt.Errorf("account %x: %w", kv.Key, err)
			}
			if sum, err = fixed.Add(sum, a.Free); err != nil {
				return 0, err
			}
		}
		if len(kvs) < page {
			return sum, nil
		}
		after = kvs[len(kvs)-1].Key
	}
}
