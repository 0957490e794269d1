"""The codes of an inspection in Vietnamese: cause and remedy, for every code that a report can carry."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["CODES_IN_VIETNAMESE"]

_HAND_OVER = "Không chấp nhận thẻ. Giữ lại nếu được phép, và báo cho cấp ủy đã cấp thẻ."
_ISSUER = "Không chấp nhận thẻ; đề nghị cấp ủy đã cấp xem lại việc làm thẻ."
_TRUST = "Cập nhật thư mục tin cậy; nếu mã này còn, báo về thẻ."
_AGAIN = "Nhấc thẻ ra, đặt phẳng lại lên đầu đọc và thử lại."
_DEFECT = "Thử lại một lần; nếu mã này còn, chip hỏng hoặc không phải chip thật: hãy báo."
_NOTHING_NEEDED = "Không cần làm gì, nếu không cần các tệp ấy."

_NEW_PROOF = "Không chấp nhận thẻ. Lấy lại bằng chứng của thẻ từ cơ quan (`membercard-pki log export`), hoặc báo về thẻ."

# fmt: off
_ROWS: Final = (
    ("card.not-operational", "Chip cho biết nó không ở trạng thái hoạt động: chưa làm xong, hoặc đã bị kết thúc.", _ISSUER),
    ("access.pace-required", "Chip không đề nghị PACE (không có EF.CardAccess); không cách nào khác được thử.", _HAND_OVER),
    ("access.card-access-malformed", "EF.CardAccess không đúng đặc tả, nên không chọn được cách mở chip.", _DEFECT),
    ("access.pace-unsupported", "Chip chỉ đề nghị những dạng PACE mà chính sách không cho phép hoặc chương trình không biết.", "So pace_parameter_ids trong policy.toml với cấu hình của thẻ; nếu đúng thì báo về thẻ."),
    ("access.pace-failed", "PACE đứt: chip trả lời điều giao thức không cho phép.", _DEFECT),
    ("access.wrong-password", "Chip không nhận mật khẩu: số CAN hoặc vùng MRZ không phải của thẻ này.", "Đọc lại sáu chữ số trên thẻ và nhập lại; nhập sai không bao giờ khóa thẻ."),
    ("access.bac-failed", "BAC đứt: chip trả lời điều giao thức không cho phép.", _DEFECT),
    ("access.bac-used", "Chip không đề nghị PACE và được mở bằng BAC, điều chính sách cho phép: ai ghi lại cuộc trao đổi thì có thể dò vùng MRZ.", "Không cần làm gì nếu chờ đợi những thẻ như vậy. Nếu không, bỏ allow_bac khỏi policy.toml."),
    ("access.secure-messaging", "Một trả lời của chip không được bảo vệ như phải có: bị sửa trên đường, hoặc chip đã mất phiên.", _DEFECT),
    ("access.failed", "Một giao thức mở thẻ bị đứt.", _DEFECT),
    ("security-object.missing", "Chip không có EF.SOD, hoặc không có ứng dụng thẻ đảng viên: không gì trên đó được ký.", _HAND_OVER),
    ("security-object.malformed", "EF.SOD không phải là đối tượng bảo mật đúng đặc tả.", _HAND_OVER),
    ("security-object.algorithm-not-allowed", "Đối tượng bảo mật được ký hoặc băm bằng thuật toán không được phép.", _HAND_OVER),
    ("security-object.duplicate-group", "Đối tượng bảo mật liệt kê một nhóm dữ liệu hai lần, nên không rõ nội dung nào đúng.", _HAND_OVER),
    ("security-object.signature-invalid", "Chữ ký không thuộc đối tượng bảo mật này: danh sách giá trị băm hoặc chữ ký đã bị sửa.", _HAND_OVER),
    ("security-object.signing-time-missing", "Đối tượng bảo mật không cho biết ký lúc nào, nên không xét được hiệu lực của người ký.", _ISSUER),
    ("security-object.signing-time-in-future", "Đối tượng bảo mật nói rằng nó được ký ở tương lai.", "Kiểm tra đồng hồ máy tính; nếu đúng giờ, báo về thẻ."),
    ("signer.profile", "Chứng thư trên thẻ không phải của một người ký giấy tờ.", _HAND_OVER),
    ("signer.document-type", "Người ký không được phép ký loại giấy tờ này.", _HAND_OVER),
    ("signer.test-authority", "Thẻ do một cơ quan thử nghiệm ký, và chính sách không cho phép.", "Thẻ thử không phải thẻ đảng viên. Chỉ chính sách để thử mới được ghi allow_test_authorities = true."),
    ("signer.authority-unknown", "Không cơ quan nào trong thư mục tin cậy đã cấp chứng thư của người ký.", _TRUST),
    ("signer.authority-scope", "Một cơ quan mà máy này biết đã cấp chứng thư, nhưng chính sách không tin cơ quan ấy cho loại giấy tờ này.", "Không chấp nhận thẻ. Nếu cơ quan ấy có ký thẻ đảng viên, ghi điều đó trong policy.toml (docs/policy.md)."),
    ("signer.path-invalid", "Có cơ quan đúng tên, nhưng chữ ký trên chứng thư không phải của cơ quan ấy.", _HAND_OVER),
    ("signer.expired-at-signing", "Chứng thư của người ký không có hiệu lực khi ký thẻ.", _HAND_OVER),
    ("signer.expired", "Chứng thư của người ký đã hết hạn từ khi ký thẻ.", "Đảng viên cần thẻ mới."),
    ("signer.key-usage-period", "Khóa của người ký được dùng ngoài thời hạn được phép ký.", _HAND_OVER),
    ("signer.authority-expired", "Chứng thư của cơ quan không có hiệu lực khi ký thẻ.", _TRUST),
    ("signer.revoked", "Cơ quan đã thu hồi chứng thư của người ký, hoặc một danh sách dừng nêu tên nó.", _HAND_OVER),
    ("signer.revocation-unknown", "Thư mục tin cậy không có danh sách thu hồi còn hạn, hoặc danh sách dừng đã cũ, nên không ai biết người ký còn được tính không.", _TRUST),
    ("signer.signed-before-compromise", "Một danh sách dừng nêu người ký của thẻ, và bằng chứng cho thấy các nhân chứng đã thấy chữ ký của thẻ trước khi khóa vào tay người khác; chính sách cho phép những thẻ ấy.", "Không cần làm gì nếu chờ đợi những thẻ như vậy. Nếu không, bỏ allow_signed_before_compromise khỏi policy.toml."),
    ("inclusion-proof.malformed", "Một danh sách dừng nêu người ký của thẻ, và tệp để chứng minh chữ ký có từ trước không phải là bằng chứng như vậy.", _NEW_PROOF),
    ("inclusion-proof.untrusted", "Một danh sách dừng nêu người ký của thẻ, và điểm kiểm trong bằng chứng thuộc một sổ mà log/log.policy không nêu, hoặc một chữ ký dưới nó sai.", _NEW_PROOF),
    ("inclusion-proof.cosignatures-missing", "Một danh sách dừng nêu người ký của thẻ, và số nhân chứng cùng ký điểm kiểm ít hơn log/log.policy đòi hỏi.", _NEW_PROOF),
    ("inclusion-proof.wrong", "Một danh sách dừng nêu người ký của thẻ, và bằng chứng không dẫn từ bản ghi tới điểm kiểm.", _NEW_PROOF),
    ("inclusion-proof.other-signature", "Một danh sách dừng nêu người ký của thẻ, và bằng chứng nói về thẻ khác hoặc chữ ký khác.", _NEW_PROOF),
    ("inclusion-proof.too-late", "Một danh sách dừng nêu người ký của thẻ, và các nhân chứng chỉ thấy chữ ký của thẻ khi khóa của người ký có thể đã ở tay người khác: chữ ký có thể là giả.", _HAND_OVER),
    ("data-group.altered", "Một tệp trên chip không phải là tệp đã ký.", _HAND_OVER),
    ("data-group.not-covered", "Chip có một tệp mà đối tượng bảo mật không liệt kê: không ai ký nó.", _HAND_OVER),
    ("data-group.missing", "Đối tượng bảo mật liệt kê một tệp mà chip không có hoặc không đưa ra.", _HAND_OVER),
    ("common-data.malformed", "Thiếu EF.COM, hoặc nó không đúng đặc tả.", _ISSUER),
    ("common-data.inconsistent", "EF.COM nêu nhóm dữ liệu hoặc phiên bản khác với đối tượng bảo mật.", _HAND_OVER),
    ("access.parameters-not-signed", "Tham số chip công bố trước PACE không phải là tham số đã ký.", _HAND_OVER),
    ("data-group.malformed", "Một tệp trên chip không giải mã được, hoặc một số kiểm tra của MRZ sai.", _ISSUER),
    ("atr-info.malformed", "EF.ATR/INFO, nơi chip cho biết độ dài lệnh và trả lời, không giải mã được.", _ISSUER),
    ("holder.inconsistent", "MRZ, thông tin cá nhân và hồ sơ đảng viên không nói về cùng một người và một thẻ.", _ISSUER),
    ("holder.state-mismatch", "Quốc gia trong MRZ và trong chứng thư của người ký, của cơ quan không khớp.", _HAND_OVER),
    ("card.expired", "Thẻ đã quá ngày hết hạn.", "Đảng viên cần thẻ mới; nếu đồng hồ máy tính sai, chỉnh lại rồi thử lại."),
    ("chip-authentication.not-performed", "Chip không chứng minh rằng nó là bản gốc: nó từ chối xác thực chip, hoặc không công bố.", _HAND_OVER),
    ("chip.not-proven", "Chip không giữ khóa riêng đã ký cho nó: dữ liệu là bản sao trên một chip khác.", _HAND_OVER),
    ("card-security.not-proven", "EF.CardSecurity, căn cứ để PACE chứng minh chip, hỏng, không do người ký thẻ ký, hoặc nêu tham số khác với dữ liệu đã ký.", _HAND_OVER),
    ("active-authentication.not-performed", "Chip có khóa xác thực chủ động trong EF.DG15 mà không ký bằng khóa ấy.", _HAND_OVER),
    ("status.reference-missing", "Đối tượng bảo mật không có tham chiếu trạng thái đúng khuôn dạng, nên không bao giờ tra được thẻ đã bị thu hồi chưa.", _ISSUER),
    ("status.no-list", "Thư mục tin cậy không có danh sách trạng thái của cơ quan cấp thẻ, nên không ai biết thẻ còn được tính không.", _TRUST),
    ("status.not-handed-over", "Theo danh sách trạng thái, thẻ này chưa trao cho ai: thẻ đã làm, mà việc trao thẻ chưa được ghi.", "Không chấp nhận thẻ. Nếu thẻ mới trao mấy ngày nay, cập nhật thư mục tin cậy; nếu không, báo về thẻ."),
    ("status.suspended", "Thẻ đang tạm dừng: không được tính cho đến khi cấp ủy cho dùng lại.", "Bây giờ không chấp nhận thẻ; người có thẻ hỏi cấp ủy."),
    ("status.replaced", "Một thẻ khác đã thay thẻ này.", _HAND_OVER),
    ("status.lost", "Thẻ đã được báo mất hoặc bị lấy cắp; thẻ tìm lại được cũng không được tính nữa.", _HAND_OVER),
    ("status.revoked", "Thẻ đã bị thu hồi.", _HAND_OVER),
    ("status.unknown", "Danh sách trạng thái làm sau khi ký thẻ, mà không biết thẻ này.", _HAND_OVER),
    ("status.newer-than-list", "Thẻ được ký sau khi làm danh sách trạng thái, nên danh sách không biết thẻ; nếu là ghi chú: chính sách cho qua những thẻ ấy.", _TRUST),
    ("status.list-in-future", "Danh sách trạng thái làm vào một thời điểm mà đồng hồ máy này chưa tới.", "Chỉnh đồng hồ của máy tính này."),
    ("status.data-stale", "Thẻ được tính, nhưng nay sổ đăng ký ghi khác với thẻ: chẳng hạn đảng viên đã chuyển sinh hoạt.", "Không cần làm gì ngay; đảng viên đi đổi thẻ. Điều gì quan trọng thì hỏi sổ đăng ký."),
    ("trust.stale", "Danh sách trạng thái cũ hơn chính sách cho phép, nên không ai biết thẻ còn được tính không.", _TRUST),
    ("trust.aging", "Danh sách trạng thái không còn mới, nhưng vẫn trong hạn chính sách cho phép.", "Cập nhật thư mục tin cậy trong mấy ngày tới."),
    ("clock.rolled-back", "Đồng hồ máy này chậm hơn một thời điểm đã biết là đã qua; thẻ được xét vào thời điểm ấy, nên điều gì đã hết hạn thì không được tính lại.", "Chỉnh đồng hồ của máy tính này. Nếu đồng hồ đúng mà trước đây đã chạy sai tới tương lai, hai người duyệt cùng đưa mốc giờ ấy về (`membercard-verifier clock show`, `clock approve`, `clock reset`)."),
    ("terminal-authentication.no-credentials", "Chip giữ những tệp chỉ dành cho máy đọc có quyền, và máy này không có chứng thư nào để trình.", f"{_NOTHING_NEEDED} Nếu cần, dùng --terminal."),
    ("terminal-authentication.expired", "Chứng thư của máy đọc hôm nay không có hiệu lực, nên máy đọc thẻ mà không dùng quyền của mình.", "Gia hạn chứng thư của máy (`membercard-pki terminal renew`) và xuất lại thư mục; kiểm tra đồng hồ máy tính."),
    ("terminal-authentication.trust-point-unknown", "Không chuỗi chứng thư nào của máy bắt đầu từ khóa mà chip tin.", "Xuất lại thư mục của máy với mọi liên kết của CVCA; nếu mã này còn, thẻ thuộc hệ thống khác."),
    ("terminal-authentication.no-right", "Chứng thư của máy không cho đọc tệp được bảo vệ nào.", f"{_NOTHING_NEEDED} Nếu cần, xin chứng thư có quyền."),
    ("terminal-authentication.not-needed", "Mục đích của lần kiểm tra này không cần tệp được bảo vệ, nên máy không chứng minh mình.", "Không cần làm gì. Một --purpose khác có thể cần."),
    ("terminal-authentication.not-possible", "Máy không thể chứng minh mình: chip chưa chứng minh nó, chỉ đề nghị phiên bản khác, hoặc được mở bằng BAC.", _HAND_OVER),
    ("terminal-authentication.key-failed", "Khóa của chính máy đọc không ký được, nên máy đọc thẻ mà không dùng quyền của mình.", "Xem lại kho khóa hoặc thiết bị khóa của máy."),
    ("terminal-authentication.chain-refused", "Chip từ chối một chứng thư trong chuỗi đã trình, dù chuỗi bắt đầu từ điểm nó tin.", "Thử thẻ khác. Nếu thẻ nào cũng từ chối, xem lại chứng thư của máy; nếu chỉ thẻ này, hãy báo."),
    ("terminal-authentication.refused", "Chip nhận chứng thư của máy nhưng từ chối bằng chứng.", "Thử thẻ khác. Nếu thẻ nào cũng từ chối, xem lại khóa của máy; nếu chỉ thẻ này, hãy báo."),
    ("terminal-authentication.malformed", "Chip trả lời việc xác thực máy đọc bằng điều không phải là trả lời.", _DEFECT),
    ("terminal-authentication.broken-off", "Cuộc trao đổi kết thúc giữa chừng khi xác thực máy đọc.", _DEFECT),
    ("terminal-authentication.trust-points-missing", "Chip công bố xác thực máy đọc mà không đưa ra EF.CVCA.", _ISSUER),
    ("terminal-authentication.trust-points-malformed", "EF.CVCA không đúng đặc tả.", _ISSUER),
    ("data-group.no-right", "Thẻ có một tệp chỉ máy đọc có quyền mới được đọc, và máy này không có quyền.", "Không cần làm gì nếu không cần tệp ấy. Nếu cần, dùng --terminal với chứng thư có quyền."),
    ("data-group.not-needed", "Thẻ có một tệp được bảo vệ mà mục đích của lần kiểm tra này không cần, nên không hỏi.", "Không cần làm gì. Một --purpose khác có thể cần."),
    ("data-group.refused-despite-right", "Chip nhận bằng chứng của máy mà vẫn từ chối tệp mà chứng thư của máy cho đọc.", _HAND_OVER),
    ("transport.lost", "Kết nối với thẻ bị đứt khi đang đọc.", _AGAIN),
    ("transport.no-card", "Không có thẻ trong đầu đọc.", "Đặt thẻ lên đầu đọc và thử lại."),
    ("transport.reader-busy", "Một chương trình khác đang giữ thẻ.", "Đóng chương trình ấy rồi thử lại."),
    ("reading.limit", "Đọc thẻ tốn nhiều thời gian, lệnh hoặc byte hơn một lần kiểm tra cho phép.", _DEFECT),
    ("card.refused", "Chip từ chối một lệnh mà mọi thẻ đảng viên đều thực hiện.", _DEFECT),
    ("card.malformed", "Chip đưa ra những byte trái đặc tả.", _DEFECT),
    ("card.malformed-response", "Một trả lời của chip không phải là trả lời.", _DEFECT),
    ("tlv.malformed", "Chip đưa ra đối tượng dữ liệu bị cụt, quá dài hoặc không ở dạng ngắn nhất.", _DEFECT),
    ("reading.malformed", "Các trả lời của chip không ghép thành một tệp.", _DEFECT),
    ("reading.broken", "Chính việc đọc bị gãy vì điều chip trả lời; thẻ coi như chưa đọc.", "Báo cho người làm chương trình này, và báo thẻ cho nơi cấp."),
    ("evidence.missing", "Bản ghi của lần đọc không có gì để xét bước này.", "Đọc lại thẻ và xét bản ghi mới."),
    ("check.broken", "Chính một bước kiểm tra của chương trình bị gãy; thẻ coi như không đạt bước ấy.", "Báo cho người làm chương trình này, kèm bản ghi nếu được phép."),
    ("access.unsigned-info", "EF.CardAccess, tệp không ai ký, ngoài các PACEInfo còn chứa điều mà EF.DG14 đã ký không có; điều ấy không được dùng.", "Không cần làm gì nếu chờ đợi những thẻ như vậy; các thẻ cùng đợt không khác nhau ở đây."),
    ("security-object.other-signature", "Đối tượng bảo mật được ký hoặc băm theo cách chỉ allow_other_signatures mới cho qua.", "Không cần làm gì nếu chờ đợi giấy tờ của cơ quan khác. Nếu không, bỏ allow_other_signatures khỏi policy.toml."),
    ("common-data.version-not-signed", "EF.COM nêu những phiên bản không ai ký: đối tượng bảo mật ở phiên bản 0, không chứa phiên bản nào.", "Không cần làm gì nếu chờ đợi giấy tờ của cơ quan khác; thẻ đảng viên có phiên bản 1."),
    ("chip-authentication.fallback", "Chip từ chối cách xác thực chip mạnh nhất mà dữ liệu đã ký công bố, và chứng minh bằng cách yếu hơn.", "Không cần làm gì nếu biết chip đã bỏ một khóa. Nếu các thẻ cùng đợt khác nhau ở đây, hãy báo về thẻ."),
    ("active-authentication.used-alone", "Chip chỉ chứng minh mình bằng xác thực chủ động: bằng chứng ấy có thể đưa cho người khác xem, và phiên không gắn với nó.", "Không cần làm gì nếu chờ đợi giấy tờ như vậy; thẻ đảng viên công bố xác thực chip."),
    ("data-group.portrait-undecodable", "Ảnh trong EF.DG2 không giải mã được trong giới hạn, dù phần đầu của nó đúng.", "So người cầm thẻ với ảnh in trên thẻ, và đề nghị cấp ủy đã cấp xem lại việc làm thẻ."),
    ("portrait.not-decoded", "Ảnh trong EF.DG2 chưa được thử: bộ giải mã của máy này không chạy được, hoặc bản ghi đã lưu không cho biết.", "Đọc lại thẻ bằng membercard-verifier; nếu mã này còn, xem lại việc cài đặt."),
    ("reading.short-identifier-refused", "Chip không đọc tệp theo mã ngắn, nên phải chọn tệp trước, tốn thêm lệnh.", "Không cần làm gì nếu chờ đợi những chip như vậy."),
    ("reading.short-apdus", "ATR của chip nêu độ dài mở rộng, mà không EF.ATR/INFO nào cho biết dài bao nhiêu: lệnh ngắn được dùng, lâu hơn.", "Không cần làm gì. Nếu các thẻ cùng đợt khác nhau ở đây, xem lại đầu đọc."),
    ("policy.empty", "Chính sách không đòi hỏi bước nào cho mục đích này, và không bao giờ chấp nhận thẻ mà không xét gì.", "Đặt vào thư mục tin cậy một policy.toml như `membercard-pki trust export` ghi."),
)
# fmt: on

CODES_IN_VIETNAMESE: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {code: (cause, remedy) for code, cause, remedy in _ROWS}
)
