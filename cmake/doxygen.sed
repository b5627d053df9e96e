# Plain C comments as Doxygen wants them: before a declaration, behind a member, at the head of a file.
1s#^/\* #/** \\file\n * #
s#^\( *\)/\* \([^-]\)#\1/** \2#
s#\([;,{)]\) */\* #\1 /**< #
# What looks like a command or a tag is text.
/^#/!s#<-#\&lt;-#g
/^#/!s#<\([A-Za-z]\)#\&lt;\1#g
