// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Attempts} from "./Attempts.sol";
import {Federation} from "./Federation.sol";
import {Permissions} from "./Permissions.sol";
import {Registry} from "./Registry.sol";

/// @title Second looks at rejected submissions
/// @notice A hospital whose submission was rejected in a finalised round appeals, and two
/// administrators decide. The round stays as it is: what was upheld counts for later ones, by the
/// block in which it was.
contract Appeals is Permissions {
    enum Decision {
        None,
        Upheld,
        Dismissed
    }

    /// @dev `upholder` and `dismisser` are administrators who decided so, until another agrees.
    struct Appeal {
        bytes32 reasonHash;
        Decision decision;
        uint64 decidedAt;
        address upholder;
        address dismisser;
    }

    bytes32 private constant ADMINISTRATOR = 0x00;

    Federation private _federation;
    mapping(bytes32 training => mapping(uint32 round => mapping(address hospital => Appeal))) private _appeals;
    mapping(bytes32 training => mapping(address hospital => uint64)) private _upheldAt;
    mapping(bytes32 training => address[]) private _upheld;

    event Attached(address indexed federation);
    event Appealed(bytes32 indexed training, uint32 indexed round, address indexed hospital, bytes32 reasonHash);
    event AppealJudged(
        bytes32 indexed training,
        uint32 indexed round,
        address indexed hospital,
        address administrator,
        bool upheld,
        bytes32 reasonHash
    );
    event AppealDecided(
        bytes32 indexed training,
        uint32 indexed round,
        address indexed hospital,
        bool upheld,
        address first,
        address second
    );

    error AlreadyAttached(address federation);
    error NotFinalised(bytes32 training, uint32 round);
    error NotRejected(address hospital);
    error AlreadyAppealed(address hospital);
    error NotAppealed(address hospital);
    error AppealClosed(Decision decision);
    error AlreadyJudged(address administrator);
    error EmptyHash();

    constructor(Registry registry_) Permissions(registry_) {}

    /// @notice Follow the rounds of this contract, for good; the same again changes nothing.
    function attach(Federation federation_) external onlyCoordinator {
        address attached = address(_federation);
        if (attached == address(federation_)) return;
        if (attached != address(0)) revert AlreadyAttached(attached);
        _federation = federation_;
        emit Attached(address(federation_));
    }

    /// @notice Appeal as the sender, whose submission this finalised round rejected; once.
    /// @param reasonHash Salted SHA-256 of the reason.
    function appeal(bytes32 training, uint32 round, bytes32 reasonHash) external {
        _requireRole(HOSPITAL, msg.sender);
        if (reasonHash == 0) revert EmptyHash();
        _requireRejected(training, round, msg.sender);
        Appeal storage entry = _appeals[training][round][msg.sender];
        if (entry.reasonHash != 0) revert AlreadyAppealed(msg.sender);
        entry.reasonHash = reasonHash;
        emit Appealed(training, round, msg.sender, reasonHash);
    }

    /// @notice Decide an appeal as an administrator. The second one to say the same settles it; until
    /// then one may change its mind, and what was said by one who is no administrator any more does
    /// not count.
    /// @param upheld Whether the appeal is upheld; else it is dismissed.
    /// @param reasonHash Salted SHA-256 of the reason.
    function decide(bytes32 training, uint32 round, address hospital, bool upheld, bytes32 reasonHash) external {
        _requireRole(ADMINISTRATOR, msg.sender);
        if (reasonHash == 0) revert EmptyHash();
        Appeal storage entry = _appeals[training][round][hospital];
        if (entry.reasonHash == 0) revert NotAppealed(hospital);
        if (entry.decision != Decision.None) revert AppealClosed(entry.decision);
        address first = upheld ? entry.upholder : entry.dismisser;
        if (first == msg.sender) revert AlreadyJudged(msg.sender);
        bool agreed = first != address(0) && registry.hasRole(ADMINISTRATOR, first);
        if (upheld) {
            entry.upholder = msg.sender;
            if (entry.dismisser == msg.sender) entry.dismisser = address(0);
        } else {
            entry.dismisser = msg.sender;
            if (entry.upholder == msg.sender) entry.upholder = address(0);
        }
        emit AppealJudged(training, round, hospital, msg.sender, upheld, reasonHash);
        if (!agreed) return;
        entry.decision = upheld ? Decision.Upheld : Decision.Dismissed;
        entry.decidedAt = uint64(block.number);
        if (upheld && _upheldAt[training][hospital] == 0) {
            _upheldAt[training][hospital] = entry.decidedAt;
            _upheld[training].push(hospital);
        }
        emit AppealDecided(training, round, hospital, upheld, first, msg.sender);
    }

    /// @notice The contract whose rounds these are about; none before it was attached.
    function federation() external view returns (address) {
        return address(_federation);
    }

    /// @notice The appeal of `hospital` in a round; all zeros if there is none.
    function appealOf(bytes32 training, uint32 round, address hospital) external view returns (Appeal memory) {
        return _appeals[training][round][hospital];
    }

    /// @notice The block in which the first appeal of `hospital` in `training` was upheld; 0 if none was.
    function upheldAt(bytes32 training, address hospital) external view returns (uint64) {
        return _upheldAt[training][hospital];
    }

    /// @notice All hospitals with an upheld appeal in `training`, and `upheldAt` of each.
    /// @dev At most the training's hospitals: whoever did not submit was not rejected.
    function upheldOf(bytes32 training) external view returns (address[] memory hospitals, uint64[] memory blocks) {
        hospitals = _upheld[training];
        blocks = new uint64[](hospitals.length);
        for (uint256 i = 0; i < hospitals.length; ++i) {
            blocks[i] = _upheldAt[training][hospitals[i]];
        }
    }

    /// @dev A round's last attempt is the only one that can have been finalised.
    function _requireRejected(bytes32 training, uint32 round, address hospital) private view {
        Attempts.Key memory key = Attempts.Key(training, round, _federation.roundOf(training, round).attempts);
        if (_federation.attemptOf(key).state != Attempts.State.Finalised) revert NotFinalised(training, round);
        Attempts.Submission memory submission = _federation.submissionOf(key, hospital);
        if (submission.verdict != Attempts.Verdict.Rejected) revert NotRejected(hospital);
    }
}
