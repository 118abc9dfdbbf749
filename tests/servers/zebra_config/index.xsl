<?xml version="1.0" encoding="UTF-8"?>
<!-- What Koha indexes and a harvester asks for: 001, 005, the language, title, author. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
  xmlns:z="http://indexdata.com/zebra-2.0" xmlns:marc="http://www.loc.gov/MARC21/slim">
  <xsl:output method="xml" encoding="UTF-8"/>
  <xsl:template match="text()"/>
  <xsl:template match="/"><xsl:apply-templates select="//marc:record"/></xsl:template>
  <xsl:template match="marc:record">
    <xsl:variable name="number" select="normalize-space(marc:controlfield[@tag='001'])"/>
    <z:record z:id="{$number}" z:type="update">
      <z:index name="Local-number:0 Local-number:w"><xsl:value-of select="$number"/></z:index>
      <xsl:for-each select="marc:controlfield[@tag='005']">
        <z:index name="Date/time-last-modified:0 Date/time-last-modified:w"><xsl:value-of select="substring(., 1, 14)"/></z:index>
      </xsl:for-each>
      <xsl:for-each select="marc:controlfield[@tag='008']">
        <z:index name="Code-language:0"><xsl:value-of select="substring(., 36, 3)"/></z:index>
      </xsl:for-each>
      <xsl:for-each select="marc:datafield[@tag='245']/marc:subfield[@code='a']">
        <z:index name="Title:w any:w"><xsl:value-of select="."/></z:index>
      </xsl:for-each>
      <xsl:for-each select="marc:datafield[@tag='100']/marc:subfield[@code='a']">
        <z:index name="Author:w any:w"><xsl:value-of select="."/></z:index>
      </xsl:for-each>
    </z:record>
  </xsl:template>
</xsl:stylesheet>
