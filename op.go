package registry

// Op names an operation, in an Error or a Progress.
type Op string

// The operations. An Error prints them before the reference: "save my:model: ...".
const (
	OpBreakLock            Op = "break lock"
	OpCheckout             Op = "check out"
	OpClean                Op = "clean"
	OpCopy                 Op = "copy"
	OpDecodeMetadata       Op = "decode metadata"
	OpDefaultURL           Op = "find the default location"
	OpDelete               Op = "delete"
	OpGC                   Op = "collect garbage"
	OpInfo                 Op = "info"
	OpLoad                 Op = "load"
	OpLock                 Op = "lock"
	OpLocks                Op = "list locks"
	OpObject               Op = "open object"
	OpObjects              Op = "list objects"
	OpOpen                 Op = "open"
	OpParseRef             Op = "parse reference"
	OpParseVersion         Op = "parse version"
	OpPrune                Op = "prune"
	OpPurge                Op = "purge"
	OpRLock                Op = "lock shared"
	OpRead                 Op = "read"
	OpRegisterMaterializer Op = "register materializer"
	OpRepair               Op = "repair"
	OpResolve              Op = "resolve"
	OpSave                 Op = "save"
	OpTag                  Op = "tag"
	OpTagHistory           Op = "tag history"
	OpTags                 Op = "list tags"
	OpUndelete             Op = "undelete"
	OpUnlock               Op = "unlock"
	OpUntag                Op = "untag"
	OpUpdate               Op = "update"
	OpVerify               Op = "verify"
	OpVersions             Op = "list versions"
)
