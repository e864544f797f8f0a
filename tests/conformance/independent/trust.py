"""The trust folder: what a reader must have from elsewhere."""

import json
import os

import keys
from hashing import hex_bytes, uuid_bytes
from notes import COSIGNED, SIGNED, VerifierKey
from refusal import Refused, need
from sshsig import allowed_keys


class Witness:
    def __init__(self, found):
        need(type(found) is dict, "policy", "witness")
        self.key = VerifierKey(found.get("vkey", ""))
        need(self.key.algorithm == COSIGNED, "vkey-algorithm", "not a witness's key")
        self.organisation = found.get("organisation")
        need(isinstance(self.organisation, str) and self.organisation, "policy", "organisation")
        self.same_operator = found.get("same_operator")
        need(isinstance(self.same_operator, bool), "policy", "same_operator")


class Trust:
    def __init__(self, tenant, root, log_vkey, allowed_signers, policy=None):
        self.tenant = uuid_bytes(tenant)
        need(type(root) is dict, "field", "root")
        self.root_suite, self.root_public = root.get("suite"), hex_bytes(root.get("public"))
        keys.check_public(self.root_suite, self.root_public)
        self.root_key_id = keys.key_id(self.root_suite, self.root_public)
        self.log = VerifierKey(log_vkey.strip("\n"))
        need(self.log.algorithm == SIGNED, "vkey-algorithm", "not a log's key")
        self.signers = allowed_keys(allowed_signers)
        self.quorum, self.witnesses = None, []
        if policy is not None:
            need(type(policy) is dict and type(policy.get("witnesses")) is list, "policy")
            self.quorum = policy.get("quorum")
            need(type(self.quorum) is int and self.quorum >= 0, "policy", "quorum")
            self.witnesses = [Witness(one) for one in policy["witnesses"]]

    @classmethod
    def of_vector(cls, given):
        return cls(
            given["tenant"], given["root"], given["log_vkey"], given["allowed_signers"], given.get("policy")
        )

    @classmethod
    def of_folder(cls, folder, bundle):
        inside = os.path.commonpath([os.path.realpath(folder), os.path.realpath(bundle)])
        need(inside != os.path.realpath(bundle), "trust", "the trust folder lies inside the bundle")

        def text(name):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                return file.read()

        try:
            tenant = json.loads(text("tenant.json"))
            policy = None
            if os.path.exists(os.path.join(folder, "policy.json")):
                policy = json.loads(text("policy.json"))
            need(type(tenant) is dict, "field", "tenant.json")
            return cls(
                tenant.get("tenant"), tenant.get("root"), text("log.vkey"), text("allowed_signers"), policy
            )
        except (OSError, ValueError) as wrong:
            raise Refused("trust", str(wrong)) from None
