package protocol

// field is a member of a request that the protocol knows.
type field uint8

const (
	fieldOther field = iota
	fieldOp
	fieldID
	fieldV
	fieldName
	fieldLease
	fieldJob
	fieldRun
	fieldKey
	fieldTask
	fieldStage
	fieldRole
	fieldToken
	fieldStep
	fieldBudget
	fieldHold
	fieldLiveness
	fields
)

// lookUp finds a field by its key in the line, fieldOther when it is none.
func lookUp(key []byte) field {
	switch string(key) {
	case "op":
		return fieldOp
	case "id":
		return fieldID
	case "v":
		return fieldV
	case "name":
		return fieldName
	case "lease_s":
		return fieldLease
	case "job":
		return fieldJob
	case "run":
		return fieldRun
	case "key":
		return fieldKey
	case "task":
		return fieldTask
	case "stage":
		return fieldStage
	case "role":
		return fieldRole
	case "token":
		return fieldToken
	case "step":
		return fieldStep
	case "budget_s":
		return fieldBudget
	case "hold_s":
		return fieldHold
	case "finalizer_liveness":
		return fieldLiveness
	}
	return fieldOther
}

func (f field) name() string {
	return [fields]string{
		fieldOp:       "op",
		fieldID:       "id",
		fieldV:        "v",
		fieldName:     "name",
		fieldLease:    "lease_s",
		fieldJob:      "job",
		fieldRun:      "run",
		fieldKey:      "key",
		fieldTask:     "task",
		fieldStage:    "stage",
		fieldRole:     "role",
		fieldToken:    "token",
		fieldStep:     "step",
		fieldBudget:   "budget_s",
		fieldHold:     "hold_s",
		fieldLiveness: "finalizer_liveness",
	}[f]
}

// set is a set of fields.
type set uint32

func (s *set) add(f field)     { *s |= 1 << f }
func (s set) has(f field) bool { return s&(1<<f) != 0 }
